"""The document that describes the interface, and the page that people read."""

import re
from pathlib import Path

import pytest

from talkworthy.api.interface import api
from talkworthy.api.problems import CODES
from talkworthy.workspaces.permissions import SCOPES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


@pytest.fixture
def document(client):
    return client.get("/api/openapi.json").json()


def operations(document):
    return {
        f"{method.upper()} {path}": told for path, item in document["paths"].items() for method, told in item.items()
    }


def test_the_document_is_valid_openapi_3_1(document):
    validator = pytest.importorskip("openapi_spec_validator", reason="the schema of OpenAPI 3.1 is not installed")
    assert document["openapi"].startswith("3.1.")
    assert not list(validator.OpenAPIV31SpecValidator(document).iter_errors())


def test_every_operation_names_its_scope_and_every_scope_is_needed_somewhere(document):
    named = {scope for told in operations(document).values() for each in told["security"] for scope in each["Bearer"]}
    assert named == set(SCOPES)


def test_every_operation_but_me_refuses_a_token_without_scope(document):
    free = [name for name, told in operations(document).items() if told["security"] == [{"Bearer": []}]]
    assert free == ["GET /api/me"]


def test_every_operation_is_guarded():
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            assert all(operation.auth_callbacks for operation in view.operations)


def test_the_page_names_every_operation_with_its_scope_and_no_other(document):
    rows = re.findall(r"^\| `([A-Z]+) (/[^`?]*)` \| `?([a-z:]+|—)`? \|", PAGE.read_text(), re.MULTILINE)
    said = {f"{method} /api{path}": scope for method, path, scope in rows}
    scopes = {name: (told["security"][0]["Bearer"] or ["—"])[0] for name, told in operations(document).items()}
    assert said == scopes


def test_the_page_names_every_problem_with_its_status():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE.read_text(), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == CODES
