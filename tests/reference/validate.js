// Validates a definition (JSON, the file that is named) by asl-validator and by AWS's own language service for ASL.
// Prints what they find as JSON: [{tool, message}, …].
"use strict";

const fs = require("fs");
const aslValidator = require("asl-validator");
const { getLanguageService, TextDocument } = require("amazon-states-language-service");

// Neither takes line breaks inside of {% %}, which AWS does.
function flat(value) {
  if (typeof value === "string") return value.replace(/\s*\n\s*/g, " ");
  if (Array.isArray(value)) return value.map(flat);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, flat(v)]));
  return value;
}

(async () => {
  const definition = flat(JSON.parse(fs.readFileSync(process.argv[2], "utf8")));
  const text = JSON.stringify(definition, null, 1);
  const found = aslValidator(definition).errors.map((error) => ({
    tool: "asl-validator",
    message: `${error["Error code"]}: ${error.Message}`,
  }));
  const service = getLanguageService({});
  const document = TextDocument.create("file:///definition.asl", "asl", 1, text);
  const diagnostics = await service.doValidation(document, service.parseJSONDocument(document));
  for (const { message, range } of diagnostics) {
    found.push({ tool: "amazon-states-language-service", message: `line ${range.start.line + 1}: ${message}` });
  }
  process.stdout.write(JSON.stringify(found) + "\n");
})();
