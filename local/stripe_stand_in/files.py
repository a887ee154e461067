"""Files: uploaded as evidence in a dispute (docs.stripe.com/api/files). Their content is not kept."""

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import invalid_parameter, not_imitated, resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, HashOf, OneOf, Raw, string
from local.stripe_stand_in.store import Record

EVIDENCE = "dispute_evidence"
_PURPOSES = (
    "account_requirement", "additional_verification", "business_icon", "business_logo", "customer_signature", EVIDENCE,
    "identity_document", "issuing_regulatory_reporting", "pci_document", "platform_terms_of_service",
    "tax_document_user_upload", "terminal_android_apk", "terminal_reader_splashscreen", "terminal_wifi_certificate",
    "terminal_wifi_private_key",
)  # fmt: skip
# docs.stripe.com/file-upload: what evidence may be, and how large.
_TYPES = {b"%PDF-": "pdf", b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}
_LARGEST = 5_000_000
_LIFETIME_SECONDS = 270 * 24 * 3600


def uploaded(name: str, content: bytes) -> dict[str, Raw]:
    """Return what the API works on in place of a file that was uploaded."""
    kind = next((kind for begins, kind in _TYPES.items() if content.startswith(begins)), "")
    return {"filename": name, "size": str(len(content)), "type": kind}


def _file(raw: Raw, name: str) -> dict[str, Raw]:
    if not isinstance(raw, dict) or "filename" not in raw:
        raise invalid_parameter("Invalid file: must be sent as multipart/form-data", name)
    return raw


CREATE = HashOf(
    {"file": _file, "purpose": OneOf(*_PURPOSES), "expand": ArrayOf(string())},
    required=("file", "purpose"),
    known_to_stripe=lambda: ("file_link_data",),
)


def create(context: Context, parameters: JsonObject) -> JsonObject:
    """Keep a file of a dispute's evidence.

    Raises:
        ApiError: It is no PDF, PNG or JPEG, too large, or for another purpose.
    """
    given, now = parameters["file"], context.now()
    if parameters["purpose"] != EVIDENCE:
        raise not_imitated(f"the purpose {parameters['purpose']}", "purpose")
    if not given["type"]:
        raise invalid_parameter("Invalid file type: must be one of PDF, JPEG, PNG", "file")
    if int(given["size"]) > _LARGEST:
        raise invalid_parameter(f"The file is too large: at most {_LARGEST} bytes", "file")
    file_id = ids.object_id("file")
    body = {
        "id": file_id,
        "object": "file",
        "created": now,
        "expires_at": now + _LIFETIME_SECONDS,
        "filename": given["filename"],
        "links": {"object": "list", "data": [], "has_more": False, "url": f"/v1/file_links?file={file_id}"},
        "purpose": EVIDENCE,
        "size": int(given["size"]),
        "title": None,
        "type": given["type"],
        "url": f"https://files.stripe.com/v1/files/{file_id}/contents",
    }
    context.store.insert(Record("file", body))
    return expand(context, body, parameters.get("expand", []))


def retrieve(context: Context, file_id: str, parameters: JsonObject) -> JsonObject:
    """Return a file, without its content."""
    record = context.store.get("file", file_id)
    if record is None:
        raise resource_missing("file upload", file_id, "file")
    return expand(context, record.body, parameters.get("expand", []))
