"""Broken copies of the real state machine, at least one for each check, and how they are broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from local.lint import Subject, dataflow, deployment, entry_points, resilience, structure, versions
from local.lint.graph import all_states

Break = Callable[[Subject], None]
Check = Callable[[Subject], Iterator[Any]]


def state_of(subject: Subject, name: str) -> dict[str, Any]:
    state = dict(all_states(subject.definition))[name]
    assert isinstance(state, dict)
    return state


def put(state: str, *path: str | int, value: object) -> Break:
    """Set a field of a state: `put("LookUpOrder", "Retry", 0, "MaxAttempts", value=1)`."""

    def do(subject: Subject) -> None:
        _reach(state_of(subject, state), path)[path[-1]] = value

    return do


def drop(state: str, *path: str | int) -> Break:
    def do(subject: Subject) -> None:
        del _reach(state_of(subject, state), path)[path[-1]]

    return do


def put_in_template(resource: str, *path: str | int, value: object) -> Break:
    def do(subject: Subject) -> None:
        _reach(subject.template["Resources"][resource]["Properties"], path)[path[-1]] = value

    return do


def drop_from_template(resource: str, *path: str | int) -> Break:
    def do(subject: Subject) -> None:
        del _reach(subject.template["Resources"][resource]["Properties"], path)[path[-1]]

    return do


def replace_text(state: str, old: str, new: str) -> Break:
    """Change a text wherever it stands in a state."""

    def do(subject: Subject) -> None:
        body = state_of(subject, state)
        text = json.dumps(body)
        assert json.dumps(old)[1:-1] in text
        changed = json.loads(text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))
        body.clear()
        body.update(changed)

    return do


def rename(old: str, new: str) -> Break:
    """Rename a state of the machine's own scope and everything that leads to it."""

    def do(subject: Subject) -> None:
        text = json.dumps(subject.definition).replace(f'"{old}"', f'"{new}"')
        subject.definition.clear()
        subject.definition.update(json.loads(text))

    return do


def machine(**fields: object) -> Break:
    def do(subject: Subject) -> None:
        subject.definition.update(fields)

    return do


def remove_state(name: str) -> Break:
    def do(subject: Subject) -> None:
        del subject.definition["States"][name]

    return do


def _reach(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        body = body[step]
    return body


def without_retried(state: str, error: str) -> Break:
    def do(subject: Subject) -> None:
        state_of(subject, state)["Retry"][0]["ErrorEquals"].remove(error)

    return do


def with_retried(state: str, error: str) -> Break:
    def do(subject: Subject) -> None:
        state_of(subject, state)["Retry"][0]["ErrorEquals"].append(error)

    return do


def with_policy(policy: dict[str, Any]) -> Break:
    def do(subject: Subject) -> None:
        subject.machine["Policies"].append(policy)

    return do


def without_policy(about: str) -> Break:
    """Remove the one policy that speaks of a resource."""

    def do(subject: Subject) -> None:
        policies = subject.machine["Policies"]
        (position,) = (number for number, policy in enumerate(policies) if f'"{about}"' in json.dumps(policy))
        del policies[position]

    return do


def with_states(**states: object) -> Break:
    def do(subject: Subject) -> None:
        subject.definition["States"].update(states)

    return do


def all_of(*breaks: Break) -> Break:
    def do(subject: Subject) -> None:
        for one in breaks:
            one(subject)

    return do


def without_detail_type(rule: str, event_type: str) -> Break:
    def do(subject: Subject) -> None:
        subject.template["Resources"][rule]["Properties"]["EventPattern"]["detail-type"].remove(event_type)

    return do


def reversed_detail_types(subject: Subject) -> None:
    subject.template["Resources"]["PartnerPaymentRule"]["Properties"]["EventPattern"]["detail-type"].reverse()


def twice_detail_type(subject: Subject) -> None:
    for rule in ("PartnerPaymentRule", "DefaultBusPaymentRule"):
        types = subject.template["Resources"][rule]["Properties"]["EventPattern"]["detail-type"]
        types.append(types[0])


def with_detail_type(subject: Subject) -> None:
    for rule in ("PartnerPaymentRule", "DefaultBusPaymentRule"):
        subject.template["Resources"][rule]["Properties"]["EventPattern"]["detail-type"].append("invoice.paid")


def without_globals_timeout(subject: Subject) -> None:
    del subject.template["Globals"]["Function"]["Timeout"]


def without_update_replace_policy(subject: Subject) -> None:
    del subject.template["Resources"]["LookUpOrderFunction"]["UpdateReplacePolicy"]


LOST = {"Type": "Fail", "Comment": "A broken copy's.", "Error": "Broken"}
WAITING = {"Type": "Wait", "Comment": "A broken copy's.", "Seconds": 1}
TARGET = ("Targets", 0)
MACHINE = ("TicketPaymentStateMachine", "DefinitionSubstitutions")
STATES_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "DescribeFailure"}]

# check → (what is broken, how, the place that is named, a part of the message)
BROKEN: dict[Check, list[tuple[str, Break, str, str]]] = {
    structure.check_targets: [
        ("StartAt", machine(StartAt="Nowhere"), "", "StartAt names 'Nowhere'"),
        ("Next", put("LookUpOrder", "Next", value="Nowhere"), "LookUpOrder", "next target 'Nowhere'"),
        ("Default", put("WhatHappened", "Default", value="Nowhere"), "WhatHappened", "default target"),
        ("Choices.Next", put("WhatHappened", "Choices", 2, "Next", value="X"), "WhatHappened", "choice target 'X'"),
        ("Catch.Next", put("LookUpOrder", "Catch", 0, "Next", value="X"), "LookUpOrder", "catch target 'X'"),
        ("StartAt of a branch", put("UpdateCounts", "Branches", 1, "StartAt", value="X"), "UpdateCounts[1]", "'X'"),
        (
            "out of a branch",
            put("CountTicketSale", "Catch", 0, "Next", value="DescribeFailure"),
            "CountTicketSale",
            "catch target 'DescribeFailure'",
        ),
    ],
    structure.check_ways_out: [
        ("no Default", drop("WhatHappened", "Default"), "WhatHappened", "no Default"),
        ("neither Next nor End", drop("LookUpOrder", "Next"), "LookUpOrder", "Next and End"),
        ("both Next and End", put("LookUpOrder", "End", value=True), "LookUpOrder", "Next and End"),
    ],
    structure.check_reachable: [
        ("an island", with_states(LostState=LOST), "LostState", "no way leads to it"),
        ("a way moved", put("LookUpOrder", "Next", value="MarkOrderPaid"), "WhatHappened", "no way leads to it"),
        ("in a branch", put("CountTicketSale", "Catch", value=[]), "TicketSaleNotCounted", "no way leads to it"),
    ],
    structure.check_ending: [
        (
            "a loop without end",
            all_of(
                with_states(WaitHere={**WAITING, "Next": "WaitThere"}, WaitThere={**WAITING, "Next": "WaitHere"}),
                put("LookUpOrder", "Next", value="WaitHere"),
            ),
            "WaitThere",
            "no end can be reached",
        ),
    ],
    structure.check_comments: [
        ("a state", drop("LookUpOrder", "Comment"), "LookUpOrder", "no Comment"),
        ("in a branch", put("CountDiscountUse", "Comment", value="  "), "CountDiscountUse", "no Comment"),
        ("the machine", machine(Comment=""), "", "no Comment"),
    ],
    structure.check_names: [
        ("underscores", rename("LookUpOrder", "look_up_order"), "look_up_order", "not CamelCase"),
        ("one word", rename("LookUpOrder", "Lookup"), "Lookup", "not CamelCase"),
        ("an end in small letters", rename("Ignored", "ignored"), "ignored", "not CamelCase"),
        (
            "twice",
            put("UpdateCounts", "Branches", 0, "States", "OrderPaid", value=LOST),
            "OrderPaid",
            "two states have this name",
        ),
    ],
    structure.check_failures_are_alerted: [
        (
            "past the alert",
            put("DescribeFailure", "Next", value="PaymentFailed"),
            "PaymentFailed",
            "reached without an alert",
        ),
        (
            "into a success",
            put("ReleaseOrder", "Catch", 0, "Next", value="OrderReleased"),
            "ReleaseOrder",
            "can end as the success OrderReleased",
        ),
    ],
    structure.check_failed_step: [
        (
            "another's name",
            put("LookUpOrder", "Catch", 0, "Assign", "failure", "step", value="ValidateEvent"),
            "LookUpOrder",
            "blames the step 'ValidateEvent'",
        ),
        (
            "in a branch",
            put("CountTicketSale", "Catch", 0, "Output", "step", value="CountDiscountUse"),
            "CountTicketSale",
            "blames the step 'CountDiscountUse'",
        ),
    ],
    resilience.check_task_timeouts: [
        ("none", drop("LookUpOrder", "TimeoutSeconds"), "LookUpOrder", "no TimeoutSeconds"),
        ("in a branch", drop("CountTicketSale", "TimeoutSeconds"), "CountTicketSale", "no TimeoutSeconds"),
        ("of Globals", put("LookUpOrder", "TimeoutSeconds", value=15), "LookUpOrder", "may take 15 s"),
        ("its own", put_in_template("RefundPaymentFunction", "Timeout", value=60), "RefundPayment", "may take 60 s"),
        (
            "Lambda's default",
            all_of(without_globals_timeout, put("LookUpOrder", "TimeoutSeconds", value=3)),
            "LookUpOrder",
            "may take 3 s",
        ),
    ],
    resilience.check_retries: [
        ("no Retry", drop("LookUpOrder", "Retry"), "LookUpOrder", "does not retry DatabaseUnavailable, Lambda."),
        ("not ours", without_retried("LookUpOrder", "DatabaseUnavailable"), "LookUpOrder", "DatabaseUnavailable"),
        ("not Lambda's", without_retried("ReleaseOrder", "Lambda.Unknown"), "ReleaseOrder", "Lambda.Unknown"),
        ("no time-out", without_retried("CountTicketSale", "States.Timeout"), "CountTicketSale", "States.Timeout"),
        ("of an alert", without_retried("AlertOperators", "States.TaskFailed"), "AlertOperators", "States.TaskFailed"),
        (
            "a permanent one",
            put("LookUpOrder", "Retry", 0, "ErrorEquals", 0, value="InvalidEvent"),
            "LookUpOrder",
            "it retries InvalidEvent",
        ),
        (
            "all of them",
            put("LookUpOrder", "Retry", 0, "ErrorEquals", value=["States.ALL"]),
            "LookUpOrder",
            "it retries States.ALL",
        ),
        ("no longest wait", drop("LookUpOrder", "Retry", 0, "MaxDelaySeconds"), "LookUpOrder", "no MaxDelaySeconds"),
        ("no attempts", put("LookUpOrder", "Retry", 0, "MaxAttempts", value=0), "LookUpOrder", "no MaxAttempts"),
        ("no interval", drop("LookUpOrder", "Retry", 0, "IntervalSeconds"), "LookUpOrder", "no IntervalSeconds"),
        ("no jitter", drop("LookUpOrder", "Retry", 0, "JitterStrategy"), "LookUpOrder", "no full jitter"),
        ("no growth", put("LookUpOrder", "Retry", 0, "BackoffRate", value=1), "LookUpOrder", "do not grow"),
        ("too short", put("LookUpOrder", "Retry", 0, "MaxAttempts", value=3), "LookUpOrder", "wait 7 s on average"),
    ],
    resilience.check_retry_copies: [
        ("another wait", put("LookUpOrder", "Retry", 0, "IntervalSeconds", value=3), "LookUpOrder", "of ValidateEvent"),
        ("one error more", with_retried("CountTicketSale", "Lambda.X"), "CountTicketSale", "of ValidateEvent"),
        ("of alerts", put("AlertOperators", "Retry", 0, "MaxAttempts", value=9), "AlertOperators", "of PublishAlert"),
    ],
    resilience.check_catches: [
        ("a Map", drop("TellOperators", "Catch"), "TellOperators", "not States.ALL"),
        ("no Catch", drop("LookUpOrder", "Catch"), "LookUpOrder", "not States.ALL"),
        ("in a branch", drop("CountTicketSale", "Catch"), "CountTicketSale", "not States.ALL"),
        (
            "not alone",
            put("LookUpOrder", "Catch", 0, "ErrorEquals", value=["InvalidEvent", "States.ALL"]),
            "LookUpOrder",
            "not States.ALL",
        ),
        ("not last", put("LookUpOrder", "Catch", value=STATES_ALL * 2), "LookUpOrder", "comes after States.ALL"),
    ],
    resilience.check_counting: [
        ("claimed and lost", put("ClaimAlert", "Catch", 0, "Next", value="LeaveAlert"), "ClaimAlert", "no alert goes"),
        ("counted and lost", put("CountAlert", "Catch", 0, "Next", value="LeaveAlert"), "CountAlert", "no alert goes"),
    ],
    resilience.check_error_names: [
        (
            "in Retry",
            put("LookUpOrder", "Retry", 0, "ErrorEquals", 0, value="DatabaseAway"),
            "LookUpOrder",
            "nobody raises 'DatabaseAway'",
        ),
        (
            "in Catch",
            put("MarkOrderPaid", "Catch", 0, "ErrorEquals", 0, value="PaidTwice"),
            "MarkOrderPaid",
            "nobody raises 'PaidTwice'",
        ),
        (
            "of AWS, misspelt",
            put("AlertOperators", "Retry", 0, "ErrorEquals", 1, value="States.TimedOut"),
            "AlertOperators",
            "'States.TimedOut'",
        ),
    ],
    resilience.check_advice: [
        (
            "missing",
            replace_text("DescribeFailure", "'AmountMismatch':", "'InvalidEvent':"),
            "DescribeFailure",
            "AmountM",
        ),
        (
            "of nobody",
            replace_text("DescribeFailure", "'OrderNotFound':", "'NotFound':"),
            "DescribeFailure",
            "NotFound,",
        ),
        ("no map", replace_text("DescribeFailure", "$advice :=", "$counsel :="), "DescribeFailure", "binds no object"),
    ],
    resilience.check_machine_timeout: [
        ("none", machine(TimeoutSeconds=None), "", "TimeoutSeconds is None"),
        ("too short", machine(TimeoutSeconds=3000), "", "TimeoutSeconds is 3000, its worst path takes 3353 s"),
        ("comment out of date", put("LookUpOrder", "TimeoutSeconds", value=21), "", "its comment does not tell"),
        (
            "a loop",
            put("LookUpOrder", "Catch", 0, "Next", value="ValidateEvent"),
            "",
            "its states form a loop",
        ),
    ],
    dataflow.check_expressions: [
        (
            "cannot be parsed",
            put("ReleaseOrder", "Output", value="{% $states.result. %}"),
            "ReleaseOrder",
            "no JSONata",
        ),
        ("escaped quote", put("ReleaseOrder", "Output", value=r"{% 'it\'s' %}"), "ReleaseOrder", "no JSONata"),
        (
            "in a catcher",
            put("LookUpOrder", "Catch", 0, "Assign", "failure", "error", value="{% ( %}"),
            "LookUpOrder",
            "no JSONata",
        ),
        ("in a branch", put("CountTicketSale", "Output", value="{% $ := %}"), "CountTicketSale", "no JSONata"),
        ("half of one", put("OrderPaid", "Output", "order_id", value="Order {% $order %}"), "OrderPaid", "literally"),
        ("unclosed", put("OrderPaid", "Output", "order_id", value="{% $order.order_id %"), "OrderPaid", "literally"),
        ("two in one", put("OrderPaid", "Output", "order_id", value="{% 1 %} {% 2 %}"), "OrderPaid", "literally"),
    ],
    dataflow.check_variables: [
        ("never assigned", put("OrderPaid", "Output", "x", value="{% $nothing.x %}"), "OrderPaid", "reads $nothing"),
        (
            "not on the way of a caught error",
            drop("ValidateEvent", "Catch", 0, "Assign", "order"),
            "DescribeFailure",
            "reads $order",
        ),
        ("not on the ordinary way", drop("ValidateEvent", "Assign", "refund"), "DescribeFailure", "reads $refund"),
        (
            "assigned by the state that reads it",
            put("MarkOrderPaid", "Output", value="{% $paid2 %}"),
            "MarkOrderPaid",
            "Output reads $paid2",
        ),
        ("assigned on one way only", put("Ignored", "Output", value="{% $failure %}"), "Ignored", "$failure"),
        (
            "in a condition",
            put("WhatHappened", "Choices", 0, "Condition", value="{% $x %}"),
            "WhatHappened",
            "Choices[0]",
        ),
        ("in a catcher", put("LookUpOrder", "Catch", 0, "Output", value="{% $x %}"), "LookUpOrder", "Catch[0].Output"),
        (
            "of a branch, outside of it",
            all_of(
                put("CountTicketSale", "Assign", value={"sale": 1}),
                put("AreCountsMade", "Output", value="{% $sale %}"),
            ),
            "AreCountsMade",
            "reads $sale",
        ),
        (
            "of the machine, assigned in a branch",
            put("CountTicketSale", "Assign", value={"order": {}}),
            "CountTicketSale",
            "belongs to the scope around it",
        ),
        ("an unknown function", put("OrderPaid", "Output", "x", value="{% $concat('a') %}"), "OrderPaid", "$concat"),
        ("a function AWS lacks", put("OrderPaid", "Output", "x", value="{% $eval('1') %}"), "OrderPaid", "$eval"),
    ],
    dataflow.check_states_fields: [
        (
            "a result before the call",
            put("LookUpOrder", "Arguments", "Payload", "x", value="{% $states.result.x %}"),
            "LookUpOrder",
            "$states.result does not exist in Arguments",
        ),
        (
            "a result after an error",
            put("LookUpOrder", "Catch", 0, "Output", value="{% $states.result %}"),
            "LookUpOrder",
            "$states.result does not exist in Catch[0].Output",
        ),
        (
            "an error after a success",
            put("LookUpOrder", "Output", value="{% $states.errorOutput.Error %}"),
            "LookUpOrder",
            "$states.errorOutput does not exist in Output",
        ),
        (
            "the result of a Pass",
            put("CountsNotMade", "Output", value="{% $states.result %}"),
            "CountsNotMade",
            "result",
        ),
    ],
    dataflow.check_unused_variables: [
        ("of a state", put("LookUpOrder", "Assign", "forgotten", value=1), "LookUpOrder", "nothing reads $forgotten"),
        ("of a catcher", put("LookUpOrder", "Catch", 0, "Assign", "x", value=1), "LookUpOrder", "nothing reads $x"),
    ],
    deployment.check_substitutions: [
        (
            "not defined",
            drop_from_template("TicketPaymentStateMachine", "DefinitionSubstitutions", "RunbookUrl"),
            "TellOperators",
            "${RunbookUrl} is not defined",
        ),
        (
            "not used",
            put_in_template("TicketPaymentStateMachine", "DefinitionSubstitutions", "Spare", value="x"),
            "TicketPaymentStateMachine",
            "does not use ${Spare}",
        ),
    ],
    deployment.check_permissions: [
        (
            "a function",
            without_policy("ValidateEventFunction"),
            "ValidateEvent",
            "lambda:InvokeFunction on ValidateEventFunction",
        ),
        ("the topic", without_policy("AlertTopic"), "AlertOperators", "sns:Publish on AlertTopic is not permitted"),
        (
            "one too many",
            with_policy({"LambdaInvokePolicy": {"FunctionName": {"Ref": "MigrateDatabaseFunction"}}}),
            "TicketPaymentStateMachine",
            "lambda:InvokeFunction on MigrateDatabaseFunction is permitted and not needed",
        ),
        (
            "far too many",
            with_policy({"Statement": {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}}),
            "TicketPaymentStateMachine",
            "lambda:InvokeFunction on * is permitted and not needed",
        ),
        (
            "another template's function",
            put("LookUpOrder", "Arguments", "FunctionName", value="arn:aws:lambda:eu-west-1:1:function:other"),
            "LookUpOrder",
            "its FunctionName is no resource of the template",
        ),
        (
            "an unknown service",
            put("LookUpOrder", "Resource", value="arn:aws:states:::sqs:sendMessage"),
            "LookUpOrder",
            "does not know arn:aws:states:::sqs:sendMessage",
        ),
    ],
    entry_points.check_entry_points: [
        (
            "no partner event source",
            put_in_template("PartnerPaymentRule", "EventBusName", value="default"),
            "TicketPaymentStateMachine",
            "no rule on the partner bus",
        ),
        (
            "no entry point of our own",
            put_in_template("DefaultBusPaymentRule", "EventBusName", value="other"),
            "TicketPaymentStateMachine",
            "no rule on default",
        ),
        (
            "a source that Stripe never sends",
            put_in_template("PartnerPaymentRule", "EventPattern", "source", value=["stripe.com"]),
            "PartnerPaymentRule",
            "its source on the partner bus is ['stripe.com']",
        ),
        (
            "a wrong own source",
            put_in_template("DefaultBusPaymentRule", "EventPattern", "source", value=["stripe"]),
            "DefaultBusPaymentRule",
            "its source on default",
        ),
        ("shut", put_in_template("PartnerPaymentRule", "State", value="DISABLED"), "PartnerPaymentRule", "not enabled"),
    ],
    entry_points.check_event_types: [
        (
            "one missing",
            without_detail_type("PartnerPaymentRule", "checkout.session.expired"),
            "PartnerPaymentRule",
            "does not let checkout.session.expired in",
        ),
        ("one too many", with_detail_type, "DefaultBusPaymentRule", "lets invoice.paid in"),
        ("one twice", twice_detail_type, "PartnerPaymentRule", "names an event type twice"),
        ("not equal", reversed_detail_types, "TicketPaymentStateMachine", "differ in detail-type"),
    ],
    entry_points.check_delivery: [
        (
            "no retries",
            drop_from_template("PartnerPaymentRule", *TARGET, "RetryPolicy"),
            "PartnerPaymentRule",
            "RetryPolicy",
        ),
        (
            "half a policy",
            drop_from_template("DefaultBusPaymentRule", *TARGET, "RetryPolicy", "MaximumRetryAttempts"),
            "DefaultBusPaymentRule",
            "no whole RetryPolicy",
        ),
        (
            "no dead-letter queue",
            drop_from_template("DefaultBusPaymentRule", *TARGET, "DeadLetterConfig"),
            "DefaultBusPaymentRule",
            "no dead-letter queue",
        ),
        (
            "no role",
            drop_from_template("PartnerPaymentRule", *TARGET, "RoleArn"),
            "PartnerPaymentRule",
            "may not do states:StartExecution",
        ),
        (
            "a role that may not",
            put_in_template("StartWorkflowRole", "Policies", value=[]),
            "DefaultBusPaymentRule",
            "may not do states:StartExecution",
        ),
        (
            "a role that is refused",
            put_in_template(
                "StartWorkflowRole", "Policies", 0, "PolicyDocument", "Statement", 0, "Effect", value="Deny"
            ),
            "PartnerPaymentRule",
            "may not do states:StartExecution",
        ),
    ],
    versions.check_pinned_functions: [
        (
            "whatever is deployed",
            put_in_template(*MACHINE, "LookUpOrderFunctionArn", value={"Fn::GetAtt": ["LookUpOrderFunction", "Arn"]}),
            "LookUpOrder",
            "calls whatever LookUpOrderFunction is at the moment",
        ),
        (
            "its alias, which moves on",
            put_in_template(*MACHINE, "LookUpOrderFunctionArn", value={"Ref": "LookUpOrderFunction.Alias"}),
            "LookUpOrder",
            "calls whatever LookUpOrderFunction is at the moment",
        ),
        (
            "a version for new code only",
            drop_from_template("LookUpOrderFunction", "AutoPublishAliasAllProperties"),
            "LookUpOrderFunction",
            "not each change of it makes a version",
        ),
        (
            "a parameter that makes no version",
            put_in_template("LookUpOrderFunction", "VersionDescription", value="DatabaseSecretArn StripeSecretArn"),
            "LookUpOrderFunction",
            "another value of StripeLivemode, StripeAccountShared, StripeAccountId, SnapStart makes no version",
        ),
        (
            "a version that goes away",
            without_update_replace_policy,
            "LookUpOrderFunction",
            "is deleted when its description changes",
        ),
    ],
    versions.check_alias: [
        (
            "no alias",
            drop_from_template("TicketPaymentStateMachine", "AutoPublishAlias"),
            "TicketPaymentStateMachine",
            "changes all payments at once",
        ),
        (
            "no way back",
            drop_from_template("TicketPaymentStateMachine", "DeploymentPreference", "Alarms"),
            "TicketPaymentStateMachine",
            "nothing takes it back",
        ),
        (
            "no alarm",
            put_in_template(
                "TicketPaymentStateMachine", "DeploymentPreference", "Alarms", 0, value={"Ref": "AlertTopic"}
            ),
            "TicketPaymentStateMachine",
            "is no alarm of the template",
        ),
        (
            "past the alias",
            put_in_template("PartnerPaymentRule", *TARGET, "Arn", value={"Ref": "TicketPaymentStateMachine"}),
            "PartnerPaymentRule",
            "starts the machine past its alias",
        ),
    ],
}
