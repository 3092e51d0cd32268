"""The front door: who may come in, what streams, and what API Gateway answers by itself."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from spillway.gateway.request.content_coding import CODINGS, HEADER, UnsupportedCoding
from spillway.settings import BadSetting, Settings
from tests.sandbox.iam.evaluate import Effect, evaluate
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import transformed

GATEWAY_PATHS = ("/v1/{proxy+}", "/x-api-key/v1/{proxy+}")
# The types of error of the one shape, by status.
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    504: "api_error",
}


@pytest.fixture(scope="module")
def body(stack: StaticStack) -> Any:
    return stack.properties("PublicApi")["Body"]


def test_only_health_documentation_and_preflights_are_open(body: Any) -> None:
    opened = {
        (path, method)
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
        if operation.get("security", [{}]) not in ([{"KeyAuthorizer": []}], [{"ApiKeyAuthorizer": []}])
    }
    any_method = "x-amazon-apigateway-any-method"
    assert opened == {
        ("/healthz", any_method),
        ("/docs", any_method),
        *((path, "options") for path in GATEWAY_PATHS),
    }


def test_the_path_says_which_header_has_the_key(body: Any) -> None:
    """API Gateway wants all identity sources of an authorizer, and remembers its answers by them."""
    found = {}
    for path in GATEWAY_PATHS:
        ((name, _),) = body["paths"][path]["x-amazon-apigateway-any-method"]["security"][0].items()
        found[path] = body["components"]["securitySchemes"][name]["x-amazon-apigateway-authorizer"]["identitySource"]
    assert found == {
        "/v1/{proxy+}": "method.request.header.Authorization",
        "/x-api-key/v1/{proxy+}": "method.request.header.x-api-key",
    }


def test_the_routes(body: Any) -> None:
    assert set(body["paths"]) == {
        "/alerts",
        "/costs",
        "/credits",
        "/deployments",
        "/deployments/{proxy+}",
        "/docs",
        "/healthz",
        "/keys",
        "/keys/{proxy+}",
        "/plans",
        "/prices",
        "/prices/{proxy+}",
        *GATEWAY_PATHS,
    }


def test_only_the_gateway_streams_and_for_as_long_as_lambda_runs(body: Any, stack: StaticStack) -> None:
    streaming = {
        path: method["x-amazon-apigateway-integration"]
        for path, methods in body["paths"].items()
        for method in methods.values()
        if method["x-amazon-apigateway-integration"].get("responseTransferMode") == "STREAM"
    }
    assert set(streaming) == set(GATEWAY_PATHS)
    for integration in streaming.values():
        assert integration["timeoutInMillis"] == 900_000 == stack.properties("ServeOpenaiFunction")["Timeout"] * 1000
        assert integration["uri"].endswith("/response-streaming-invocations")


def test_a_regional_endpoint_lets_a_stream_pause(stack: StaticStack) -> None:
    assert stack.properties("PublicApi")["EndpointConfiguration"]["Types"] == ["REGIONAL"]


def test_gateway_responses_have_the_one_error_shape(body: Any) -> None:
    responses = body["x-amazon-apigateway-gateway-responses"]
    for kind, response in responses.items():
        status = int(response.get("statusCode") or {"DEFAULT_4XX": 400, "DEFAULT_5XX": 500}[kind])
        text = response["responseTemplates"]["application/json"]
        # messageString comes with its quotes.
        error = json.loads(text.replace("$context.error.messageString", '"what went wrong"'))
        assert error.keys() == {"error"}
        assert error["error"].keys() - {"allowed"} == {"message", "type", "param", "code"}
        assert error["error"]["type"] == TYPES[status], kind
    assert responses["UNAUTHORIZED"]["responseParameters"] == {"gatewayresponse.header.WWW-Authenticate": "'Bearer'"}
    assert responses["THROTTLED"]["responseParameters"] == {"gatewayresponse.header.Retry-After": "'1'"}


def test_what_api_gateway_cannot_unpack_is_refused_as_a_server_would(body: Any) -> None:
    response = body["x-amazon-apigateway-gateway-responses"]["UNSUPPORTED_MEDIA_TYPE"]
    error = json.loads(response["responseTemplates"]["application/json"])["error"]
    assert (int(response["statusCode"]), error["code"], error["param"]) == (
        UnsupportedCoding.status,
        UnsupportedCoding.code,
        HEADER,
    )
    assert set(error["allowed"]) > set(CODINGS)


def test_a_preflight_is_answered_whole_by_a_function_of_its_own(body: Any, stack: StaticStack) -> None:
    for path in GATEWAY_PATHS:
        integration = body["paths"][path]["options"]["x-amazon-apigateway-integration"]
        assert integration["uri"].endswith("/invocations")
        assert stack.resolve({"Fn::GetAtt": ["AnswerPreflightFunction", "Arn"]}) in integration["uri"]
        assert integration.get("responseTransferMode") != "STREAM"


@pytest.mark.parametrize("origins", ["", "*", "https://chat.example.com,http://localhost:3000"])
def test_pages_may_read_what_api_gateway_says_if_they_may_read_the_gateway(origins: str) -> None:
    parameters = {"CorsOrigins": origins}
    stack = StaticStack(transformed(parameters), parameters)
    responses = stack.properties("PublicApi")["Body"]["x-amazon-apigateway-gateway-responses"]
    found = {
        kind: response["responseParameters"].get("gatewayresponse.header.Access-Control-Allow-Origin")
        for kind, response in responses.items()
    }
    assert found == dict.fromkeys(responses, "'*'" if origins else None)
    exposed = responses["THROTTLED"]["responseParameters"].get("gatewayresponse.header.Access-Control-Expose-Headers")
    assert exposed == ("'Retry-After'" if origins else None)
    for function in ("ServeOpenaiFunction", "AnswerPreflightFunction"):
        assert stack.properties(function)["Environment"]["Variables"]["CORS_ORIGINS"] == origins


@pytest.mark.parametrize(
    ("origins", "is_taken"),
    [
        ("", True),
        ("*", True),
        ("https://chat.example.com", True),
        ("https://a.example,http://localhost:3000,tauri://localhost", True),
        ("https://a.example/", False),
        ("a.example", False),
        ("https://*.example", False),
        ("*,https://a.example", False),
        ("https://a.example, https://b.example", False),
        ("HTTPS://a.example", False),
        ("null", False),
    ],
)
def test_origins_are_written_as_browsers_send_them(template: dict[str, Any], origins: str, is_taken: bool) -> None:
    parameter = template["Parameters"]["CorsOrigins"]
    assert bool(re.search(parameter["AllowedPattern"], origins)) is is_taken
    settings = Settings({"CORS_ORIGINS": origins})
    if is_taken:
        assert settings.cors_origins == set(filter(None, origins.split(",")))
    else:
        with pytest.raises(BadSetting, match="CORS_ORIGINS"):
            _ = settings.cors_origins


def test_access_logs_are_json_without_secrets(stack: StaticStack) -> None:
    text = stack.properties("PublicApiliveStage")["AccessLogSetting"]["Format"]
    assert json.loads(text)["key"] == "$context.authorizer.key_id"
    assert "header" not in text.lower()


def test_the_fleets_door_opens_to_the_gateway_and_the_smoke_test_alone(fleet_stack: StaticStack) -> None:
    statements = fleet_stack.properties("FleetsApi")["Policy"]["Statement"]

    def effect(role: str) -> Effect:
        arn = fleet_stack.resolve({"Fn::GetAtt": [role, "Arn"]})
        context = {"aws:PrincipalArn": arn}
        return evaluate(statements, "execute-api:Invoke", "execute-api:/live/POST/fleets/a/v1/models", context).effect

    assert effect("ServeOpenaiFunctionRole") is effect("SmokeTestFunctionRole") is Effect.ALLOW
    assert effect("ControlApiFunctionRole") is Effect.EXPLICIT_DENY


def test_the_fleets_door_streams_to_the_load_balancer(fleet_stack: StaticStack) -> None:
    method = fleet_stack.properties("FleetProxyMethod")
    integration = method["Integration"]
    assert method["AuthorizationType"] == "AWS_IAM"
    assert integration["ResponseTransferMode"] == "STREAM"
    assert integration["TimeoutInMillis"] == 900_000
    assert integration["IntegrationTarget"] == fleet_stack.resolve({"Ref": "FleetLoadBalancer"})
    assert integration["Uri"].endswith("/fleets/{deployment}/{proxy}")


def test_an_engine_is_reached_through_the_load_balancer_or_from_its_peers_alone(fleet_stack: StaticStack) -> None:
    ingress = {
        name: fleet_stack.properties(name)["SourceSecurityGroupId"]
        for name in fleet_stack.of_type("AWS::EC2::SecurityGroupIngress")
    }
    assert ingress == {
        "FleetLoadBalancerIngress": fleet_stack.resolve({"Fn::GetAtt": ["FleetLinkSecurityGroup", "GroupId"]}),
        "FleetInstanceIngress": fleet_stack.resolve({"Fn::GetAtt": ["FleetLoadBalancerSecurityGroup", "GroupId"]}),
        "FleetPeerIngress": fleet_stack.resolve({"Fn::GetAtt": ["FleetInstanceSecurityGroup", "GroupId"]}),
    }
    groups = map(fleet_stack.properties, fleet_stack.of_type("AWS::EC2::SecurityGroup"))
    assert not [group for group in groups if "SecurityGroupIngress" in group]


def test_what_one_group_lets_in_the_other_lets_out(fleet_stack: StaticStack) -> None:
    def port_of(rule: Mapping[str, Any]) -> tuple[Any, ...]:
        return rule["IpProtocol"], rule["FromPort"], rule["ToPort"]

    out = {
        (name, fleet_stack.resolve(rule["DestinationSecurityGroupId"]), port_of(rule))
        for name in fleet_stack.of_type("AWS::EC2::SecurityGroup")
        for rule in fleet_stack.properties(name).get("SecurityGroupEgress", [])
        if "DestinationSecurityGroupId" in rule
    }
    groups = {
        fleet_stack.resolve({"Fn::GetAtt": [name, "GroupId"]}): name
        for name in fleet_stack.of_type("AWS::EC2::SecurityGroup")
    }
    alone = map(fleet_stack.properties, fleet_stack.of_type("AWS::EC2::SecurityGroupEgress"))
    out |= {
        (
            groups[fleet_stack.resolve(rule["GroupId"])],
            fleet_stack.resolve(rule["DestinationSecurityGroupId"]),
            port_of(rule),
        )
        for rule in alone
    }
    let_in = map(fleet_stack.properties, fleet_stack.of_type("AWS::EC2::SecurityGroupIngress"))
    wanted = {
        (
            groups[fleet_stack.resolve(rule["SourceSecurityGroupId"])],
            fleet_stack.resolve(rule["GroupId"]),
            port_of(rule),
        )
        for rule in let_in
    }
    assert len(wanted) == 3
    assert wanted == out
