"""`cachao redeploy`: what was changed by hand comes back, is shown before, and nothing is left where it is not done."""

from __future__ import annotations

import pytest

from tests.operations.conftest import Cachao
from tests.operations.deployment import ROLE, Deployment, deployment, drifted

__all__ = ["deployment"]

pytestmark = pytest.mark.usefixtures("on_aws")


@pytest.fixture
def redeploy(
    cachao: Cachao, on_aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Cachao:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("CACHAO_STACK", "cachao-local")

    def command(*words: object, **given: bool) -> object:
        return cachao("redeploy", *words, "--region", "eu-west-1", **given)

    return command  # type: ignore[return-value]


def test_what_was_changed_by_hand_is_brought_back(redeploy: Cachao, deployment: Deployment) -> None:
    answer = redeploy("--yes", json=True)
    assert answer.exit_code == 0, answer.notes
    assert answer.data["carried_out"]
    assert [(one["part"], one["was"], one["properties"]) for one in answer.data["changes"]] == [
        ("PartnerPaymentRule", "DELETED", []),
        ("StartWorkflowRole", "MODIFIED", ["AssumeRolePolicyDocument"]),
    ]
    [made] = deployment.named("create_change_set")
    assert (made["DeploymentMode"], made["UsePreviousTemplate"]) == ("REVERT_DRIFT", True)
    assert all(one["UsePreviousValue"] for one in made["Parameters"])
    assert len(deployment.named("execute_change_set")) == 1
    assert deployment.named("delete_change_set") == []


def test_another_value_of_a_parameter_goes_with_it(redeploy: Cachao, deployment: Deployment) -> None:
    assert redeploy("--yes", "--set", "StripeAccountShared=true").exit_code == 0
    [made] = deployment.named("create_change_set")
    changed = [one for one in made["Parameters"] if "ParameterValue" in one]
    assert changed == [{"ParameterKey": "StripeAccountShared", "ParameterValue": "true"}]


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_nothing_is_done_nor_left_unless_it_is_wanted(
    redeploy: Cachao, deployment: Deployment, words: tuple[str, ...]
) -> None:
    answer = redeploy(*words)
    assert answer.exit_code == (0 if words else 2)
    assert "PartnerPaymentRule  Events::Rule  deleted  made again" in answer.text + answer.notes
    assert deployment.named("execute_change_set") == []
    [made], [removed] = deployment.named("create_change_set"), deployment.named("delete_change_set")
    assert made["ChangeSetName"] == removed["ChangeSetName"]


def test_where_nothing_differs_it_says_so(redeploy: Cachao, deployment: Deployment) -> None:
    deployment.changes = []
    answer = redeploy("--yes")
    assert answer.exit_code == 0
    assert "is as the template has it" in answer.text
    assert len(deployment.named("delete_change_set")) == 1


def test_what_would_be_replaced_is_told_with_what_that_means(redeploy: Cachao, deployment: Deployment) -> None:
    deployment.changes = [drifted("AlertTable", "AWS::DynamoDB::Table", "MODIFIED", Replacement="True")]
    assert "replaced: what it holds is lost" in redeploy("--dry-run").text
    deployment.changes = [drifted("AlertTable", "AWS::DynamoDB::Table", "DELETED", Replacement="True")]
    assert "made again" in redeploy("--dry-run").text


def test_what_cloudformation_takes_back_ends_with_1_and_its_first_reason(
    redeploy: Cachao, deployment: Deployment
) -> None:
    deployment.ends_as = "UPDATE_ROLLBACK_COMPLETE"
    answer = redeploy("--yes")
    assert answer.exit_code == 1
    assert "StartWorkflowRole: You may not do iam:UpdateAssumeRolePolicy." in answer.notes


def test_a_deployment_that_goes_on_is_not_disturbed(redeploy: Cachao, deployment: Deployment) -> None:
    deployment.status = deployment.ends_as = "UPDATE_ROLLBACK_FAILED"
    answer = redeploy("--yes")
    assert "aws cloudformation continue-update-rollback --region eu-west-1 --stack-name cachao-local" in answer.notes
    deployment.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    assert redeploy("--yes").exit_code == 3
    assert deployment.asked == []


def test_one_that_outlasts_the_waiting_says_so(redeploy: Cachao, deployment: Deployment) -> None:
    deployment.changes, deployment.ends_as = [ROLE], "UPDATE_IN_PROGRESS"
    answer = redeploy("--yes", "--wait", "0")
    assert answer.exit_code == 4
    assert "cachao doctor --stack cachao-local" in answer.notes


@pytest.mark.parametrize("said", ["StripeLivemode", "Nonsense=1", "=1"])
def test_what_is_no_parameter_is_refused_before_anything_is_asked(
    redeploy: Cachao, deployment: Deployment, said: str
) -> None:
    assert redeploy("--set", said).exit_code == 2
    assert deployment.asked == []


def test_the_local_stack_is_started_again_instead(cachao: Cachao, stack_folder: object) -> None:
    answer = cachao("redeploy", "--local")
    assert answer.exit_code == 2
    assert "make run" in answer.notes
