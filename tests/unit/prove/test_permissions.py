"""What the judge of permissions says, of a service that there is not."""

import json
from pathlib import Path

import pytest

from tests.prove.patterns import arns_may_meet, may_meet
from tests.prove.permissions import Authorization, Statement, problems

THING = "arn:aws:things:us-east-1:123456789012:thing/spillway-*"
BOX = "arn:aws:things:us-east-1:123456789012:box/spillway-*"


def privilege(**types: bool) -> dict[str, object]:
    keys = {"": ["aws:RequestTag/${TagKey}"], "thing": ["things:Colour"]}
    return {
        "resource_types": {
            name.strip("_"): {"required": required, "condition_keys": keys.get(name.strip("_"), [])}
            for name, required in types.items()
        }
    }


@pytest.fixture
def authorization(tmp_path: Path) -> Authorization:
    arn = "arn:${Partition}:things:${Region}:${Account}:"
    service = {
        "privileges": {
            "Make": privilege(thing=True, _=False),
            "Put": privilege(thing=True, box=True),
            "List": privilege(_=False),
        },
        "resources": {
            "thing": {"arn": f"{arn}thing/${{Name}}", "condition_keys": ["aws:ResourceTag/${TagKey}"]},
            "box": {"arn": f"{arn}box/${{Name}}", "condition_keys": []},
        },
    }
    (tmp_path / "iam.json").write_text(json.dumps({"things": service}))
    return Authorization(tmp_path / "iam.json")


def allow(action: str, *resources: str, keys: tuple[str, ...] = ()) -> Statement:
    return Statement("Role", "Allow", (action,), resources, keys)


@pytest.mark.parametrize(
    "statement",
    [
        allow("things:Make", THING),
        allow("things:Make", THING, keys=("things:Colour", "aws:RequestTag/spillway:stack", "aws:SourceAccount")),
        allow("things:Make", THING, keys=("aws:resourcetag/spillway:stack",)),
        allow("things:Put", BOX),
        allow("things:List", "*"),
        Statement("Topic", "Deny", ("things:Make",), ("*",), ()),
    ],
)
def test_what_aws_makes_sense_of(authorization: Authorization, statement: Statement) -> None:
    assert list(problems([statement], authorization)) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow("things:Mke", THING), "there is no action things:Mke"),
        (allow("nothing:Make", THING), "there is no action nothing:Make"),
        (allow("things:Make", "*"), "could be limited to thing"),
        (allow("things:List", THING), "can't be limited to a resource"),
        (allow("things:Make", THING, BOX), f"takes thing, not {BOX}"),
        (allow("things:Make", THING, keys=("things:Size",)), "brings no condition key things:Size"),
        (allow("things:List", "*", keys=("aws:ResourceTag/a",)), "brings no condition key aws:ResourceTag/a"),
    ],
)
def test_what_aws_makes_no_sense_of(authorization: Authorization, statement: Statement, expected: str) -> None:
    (sentence,) = problems([statement], authorization)
    assert sentence.startswith("Role: ")
    assert expected in sentence


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("thing/spillway-*", "thing/*", True),
        ("thing/*", "thing/*/version", True),
        ("box/spillway-*", "thing/*", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("", "*", True),
    ],
)
def test_patterns_that_have_a_text_in_common(one: str, other: str, expected: bool) -> None:
    assert may_meet(one, other) is expected
    assert may_meet(other, one) is expected


def test_a_star_does_not_reach_over_a_part_of_an_arn() -> None:
    assert not arns_may_meet("arn:aws:things:us-east-1:1:box/*", "arn:*:things:*:*:thing/*")
