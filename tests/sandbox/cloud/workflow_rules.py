"""Where AWS fails an execution and moto's interpreter goes on: paths that lead nowhere, errors nobody catches, sizes.

What AWS does is taken from its pages on error handling (``concepts-error-handling``: States.Runtime always ends an
execution, States.ALL catches neither it nor States.DataLimitExceeded), on Choice states, and from the language's
specification.
"""

import copy
from typing import Any

from jsonpath_ng.parser import parse
from moto.stepfunctions.exceptions import InvalidExecutionInput
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.path.items_path import ItemsPath
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringIntrinsicFunction
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import ComparisonVariable
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError
from moto.stepfunctions.parser.quotas import is_within_size_quota

from tests.sandbox.cloud.patches import Patches

# Of an execution's input, and of what a state is given or gives on, in bytes of UTF-8.
DATA_BYTES = 262_144

_RUNTIME = StatesErrorNameType.StatesRuntime
_DATA_LIMIT = StatesErrorNameType.StatesStatesDataLimitExceeded


def install(patches: Patches) -> None:
    """Patch the interpreter until ``patches`` are undone."""
    _patch_catching(patches)
    _patch_choices(patches)
    _patch_items(patches)
    _patch_results(patches)
    _patch_intrinsic_functions(patches)


def check_input(given: str | None) -> None:
    """Raise InvalidExecutionInput for an input that is too large to start with."""
    if len((given or "").encode()) > DATA_BYTES:
        raise InvalidExecutionInput(f"Input must be at most {DATA_BYTES} bytes")


def check_parameters(env: Any, parameters: Any) -> None:
    """Fail a state whose input is too large once its parameters are filled in."""
    if not is_within_size_quota(parameters):
        cause = "The state's input exceeds the maximum number of bytes service limit after its Parameters."
        raise failure(env, _DATA_LIMIT, cause)


def check_children(env: Any, run: Any) -> None:
    """Fail a distributed map of which a child failed; what a map may tolerate is not played, as none of ours does."""
    if lost := run.item_counter.failed.get() + run.item_counter.timed_out.get():
        cause = f"The specified tolerated failure threshold was exceeded: {lost} failed."
        raise failure(env, StatesErrorNameType.StatesExceedToleratedFailureThreshold, cause)


def failure(env: Any, error: StatesErrorNameType, cause: str) -> FailureEventException:
    """Return the failure of the state that runs, by an error of Step Functions' own."""
    details = TaskFailedEventDetails(error=error.to_name(), cause=cause)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )


def _patch_catching(patches: Patches) -> None:
    """No Retry and no Catch takes States.Runtime, and wildcards do not take States.DataLimitExceeded."""
    matches = patches.set(ErrorEqualsDecl, "_eval_body", None)
    too_much = StatesErrorName(typ=_DATA_LIMIT)

    def matches_unless_final(this: Any, env: Any) -> None:
        name = env.stack[-1]
        if name == StatesErrorName(typ=_RUNTIME) or (name == too_much and too_much not in this.error_names):
            env.stack.pop()
            env.stack.append(False)
        else:
            matches(this, env)

    ErrorEqualsDecl._eval_body = matches_unless_final


def _patch_choices(patches: Patches) -> None:
    """A rule whose variable is not there fails the execution, but for the rule that asks whether it is."""
    compare = patches.set(ComparisonVariable, "_eval_body", None)

    def compare_what_is_there(this: Any, env: Any) -> None:
        if this.comparison_function.operator_type is not ComparisonOperatorType.IsPresent:
            this.variable.eval(env)
            if isinstance(env.stack.pop(), NoSuchVariable):
                path = this.variable.string_sampler.literal_value
                cause = f"Invalid path '{path}': The choice state's condition path references an invalid value."
                raise failure(env, _RUNTIME, cause)
        compare(this, env)

    ComparisonVariable._eval_body = compare_what_is_there


def _patch_items(patches: Patches) -> None:
    find = patches.set(ItemsPath, "_eval_body", None)

    def find_list(this: Any, env: Any) -> None:
        find(this, env)
        if not isinstance(env.stack[-1], list):
            cause = f'Reference path "{this.string_sampler.literal_value}" must point to array.'
            raise failure(env, _RUNTIME, cause)

    ItemsPath._eval_body = find_list


def _patch_results(patches: Patches) -> None:
    """A result that has no place in the state's input is an error, not lost."""
    put = patches.set(ResultPath, "_eval_body", None)

    def put_where_there_is_a_place(this: Any, env: Any) -> None:
        path, given = this.result_path_src, env.states.get_input()
        if path is not None and not _has_place(path, given):
            cause = f"Unable to apply ResultPath '{path}' to the state's input."
            raise failure(env, StatesErrorNameType.StatesResultPathMatchFailure, cause)
        put(this, env)

    ResultPath._eval_body = put_where_there_is_a_place


def _has_place(path: str, given: Any) -> bool:
    result, place = object(), parse(path)
    try:
        found = place.find(place.update_or_create(copy.deepcopy(given), result))
    except TypeError:
        return False
    return any(each.value is result for each in found)


def _patch_intrinsic_functions(patches: Patches) -> None:
    """A function fails by an error that can be caught, but where its argument is missing."""
    evaluate = patches.set(StringIntrinsicFunction, "_eval_body", None)

    def evaluate_or_fail(this: Any, env: Any) -> None:
        function = this.intrinsic_function_derivation
        try:
            evaluate(this, env)
        except FailureEventException:
            raise
        except NoSuchJsonPathError as err:
            cause = f"The function '{function}' had the following error: {err}"
            raise failure(env, _RUNTIME, cause) from err
        except Exception as err:
            cause = f"The function '{function}' had the following error: {err}"
            raise failure(env, StatesErrorNameType.StatesIntrinsicFailure, cause) from err

    StringIntrinsicFunction._eval_body = evaluate_or_fail
