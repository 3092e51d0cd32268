"""The five verbs of the import path: a model of the user's own, which Bedrock takes in and then runs by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, going_is_retried, gone_is_fine, is_gone, translated
from spillway.adapters.aws.tags import expect_owned, is_owned
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import InvalidRequest, NotReady, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import ImportedTarget

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock.type_defs import GetImportedModelResponseTypeDef, GetModelImportJobResponseTypeDef

# Where Bedrock takes models in (its user guide, Custom Model Import).
REGIONS = ("eu-central-1", "us-east-1", "us-east-2", "us-west-2")


@dataclass(frozen=True)
class ImportDriver:
    """``role_arn`` is what Bedrock reads the weights with; None where the stack was given no bucket."""

    stack: str
    region: str
    role_arn: str | None
    bedrock: "BedrockClient"

    def preflight(self, deployment: Deployment) -> None:
        """Check that this region takes models in, and that Bedrock may read the weights' bucket at all."""
        if self.region not in REGIONS:
            raise InvalidRequest(
                f"Bedrock imports no models in {self.region}: it does in {', '.join(REGIONS)}", param="path"
            )
        self._role()

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name the model; its import's job is the first of its kind that has a moment in its name."""
        return [f"imported model {self._names(deployment).imported_model}"]

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Begin the import, once in a deployment's life; a repeat finds the first one's job or model."""
        names, job = self._names(deployment), self._job_name(deployment)
        if self._find_job(job) is not None:
            return {"import_job": job}
        tags = [{"key": key, "value": value} for key, value in names.tags.items()]
        with translated(param="model.weights"):
            try:
                self.bedrock.create_model_import_job(
                    jobName=job,
                    importedModelName=names.imported_model,
                    roleArn=self._role(),
                    modelDataSource={"s3DataSource": {"s3Uri": f"{str(deployment.spec.model.weights).rstrip('/')}/"}},
                    jobTags=tags,  # type: ignore[arg-type]
                    importedModelTags=tags,  # type: ignore[arg-type]
                    clientRequestToken=names.token(job),
                )
            except ClientError as err:
                if code_of(err) != "ConflictException":
                    raise
                if model := self._find_model(names):
                    expect_owned(names, f"imported model {names.imported_model}", self._tags(model["modelArn"]))
                # The model of the life before is on its way out.
                raise Retryable(str(err)) from err
        return {"import_job": job}

    def probe(self, deployment: Deployment) -> Capacity:
        """Return one that starts while the import runs, and one that is ready after it: copies are Bedrock's affair."""
        job = self._find_job(self._job_name(deployment))
        if job is None:
            return Capacity(desired=1)
        if job["status"] == "Failed":
            why = job.get("failureMessage", "Bedrock does not say why")
            raise InvalidRequest(f"the import of {deployment.spec.model.weights} failed: {why}", param="model.weights")
        is_done = job["status"] == "Completed"
        return Capacity(desired=1, ready=int(is_done), starting=int(not is_done))

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Do nothing: Bedrock starts copies for requests, and unloads them after five minutes without any."""

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Delete the model; an import that still runs cannot be stopped, and its model is deleted once it is there."""
        names = self._names(deployment)
        model = self._find_model(names)
        # Permission to delete depends on the model's tag, which one that is gone doesn't have: look first.
        if model and is_owned(names, self._tags(model["modelArn"])):
            with translated(), gone_is_fine():
                self.bedrock.delete_imported_model(modelIdentifier=model["modelArn"])
        job = self._find_job(self._job_name(deployment))
        return [f"model import job {job['jobName']}"] if job is not None and job["status"] == "InProgress" else []

    def target(self, deployment: Deployment) -> ImportedTarget:
        """Return the imported model, with the units that a copy of it takes; NotReady while it is not there."""
        model = self._find_model(self._names(deployment))
        if model is None:
            raise NotReady(f"the imported model of {deployment.name} is not there")
        return ImportedTarget(model["modelArn"], model.get("customModelUnits", {}).get("customModelUnitsPerModelCopy"))

    def _find_job(self, name: str) -> "GetModelImportJobResponseTypeDef | None":
        with translated():
            try:
                return self.bedrock.get_model_import_job(jobIdentifier=name)
            except ClientError as err:
                if is_gone(err):
                    return None
                raise

    def _find_model(self, names: Names) -> "GetImportedModelResponseTypeDef | None":
        with translated():
            try:
                return self.bedrock.get_imported_model(modelIdentifier=names.imported_model)
            except ClientError as err:
                if is_gone(err):
                    return None
                raise

    def _tags(self, arn: str) -> dict[str, str]:
        with translated(), going_is_retried():
            found = self.bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
        return {tag["key"]: tag["value"] for tag in found}

    def _role(self) -> str:
        if self.role_arn is None:
            raise InvalidRequest(
                "Bedrock may read no bucket of yours: deploy the stack with the parameter WeightsBucket", param="path"
            )
        return self.role_arn

    def _names(self, deployment: Deployment) -> Names:
        return Names(self.stack, deployment.name)

    def _job_name(self, deployment: Deployment) -> str:
        # Jobs stay for ever, under names that are never free again: each life of a deployment has a job of its own.
        names = self._names(deployment)
        return f"{names.base[:50]}-{names.token(f'import {deployment.created_at.isoformat()}')[:12]}"
