"""Bedrock's Custom Model Import: jobs that take their time, and the models that come out of them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from tests.sandbox.aws_errors import AwsError, answering_errors
from tests.sandbox.bedrock_catalog import Catalog, ImportedModel


@dataclass(frozen=True)
class ImportJob:
    """A model import under way, or done. ``failure`` is set when it will end as ``Failed``."""

    arn: str
    role_arn: str
    token: str | None
    model: ImportedModel
    ends_at: datetime
    failure: str | None

    @property
    def name(self) -> str:
        return self.model.job_name

    def status(self, now: datetime) -> str:
        """Return ``InProgress``, ``Completed`` or ``Failed``."""
        if now < self.ends_at:
            return "InProgress"
        return "Failed" if self.failure else "Completed"


class ModelImports:
    """Import jobs and imported models; a job takes ``seconds`` of the time that ``now`` tells.

    Set ``failure`` to a message to make the jobs created from then on fail with it.
    """

    def __init__(
        self, now: Callable[[], datetime], catalog: Catalog, *, region: str, account: str, seconds: float
    ) -> None:
        self.seconds = seconds
        self.failure: str | None = None
        self.jobs: dict[str, ImportJob] = {}
        self._catalog = catalog
        self._now = now
        self._arn_prefix = f"arn:aws:bedrock:{region}:{account}"
        self._settled: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be mounted in one application."""
        handlers = [
            ("POST", "/model-import-jobs", self._create_job),
            ("GET", "/model-import-jobs", self._list_jobs),
            ("GET", "/model-import-jobs/{id}", self._get_job),
            ("GET", "/imported-models", self._list_imported),
            ("GET", "/imported-models/{id}", self._get_imported),
            ("DELETE", "/imported-models/{id}", self._delete_imported),
            ("POST", "/listTagsForResource", self._list_tags),
        ]
        return [web.route(method, path, answering_errors(handler)) for method, path, handler in handlers]

    def settle(self) -> None:
        """Let the jobs that are due by now end; their models are in the catalog then."""
        for job in self.jobs.values():
            if job.arn not in self._settled and job.status(self._now()) == "Completed":
                self._settled.add(job.arn)
                self._catalog.imported[job.model.arn] = replace(job.model, created_at=job.ends_at)

    async def _create_job(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.settle()
        repeated = self._job_with_token(body.get("clientRequestToken"))
        if repeated:
            return web.json_response({"jobArn": repeated.arn}, status=201)
        if body["jobName"] in (job.name for job in self.jobs.values()):
            raise AwsError(400, "ConflictException", f"A job with the name {body['jobName']} exists already.")
        if self._catalog.find_imported(body["importedModelName"]):
            raise AwsError(400, "ConflictException", f"The model name {body['importedModelName']} is in use.")
        job = self._new_job(body)
        self.jobs[job.arn] = job
        return web.json_response({"jobArn": job.arn}, status=201)

    async def _list_jobs(self, request: web.Request) -> web.Response:
        self.settle()
        wanted = request.query.get("statusEquals")
        part = request.query.get("nameContains", "")
        jobs = [self._job(job) for job in self.jobs.values() if part in job.name]
        summaries = [job for job in jobs if wanted in (None, job["status"])]
        return web.json_response({"modelImportJobSummaries": summaries})

    async def _get_job(self, request: web.Request) -> web.Response:
        self.settle()
        identifier = request.match_info["id"]
        by_name = (job for job in self.jobs.values() if identifier in (job.name, job.arn.rsplit("/", 1)[-1]))
        job = self.jobs.get(identifier) or next(by_name, None)
        if job is None:
            raise AwsError(404, "ResourceNotFoundException", f"Could not find the model import job {identifier}.")
        source = {"modelDataSource": {"s3DataSource": {"s3Uri": job.model.s3_uri}}, "roleArn": job.role_arn}
        return web.json_response(self._job(job) | source)

    async def _list_imported(self, request: web.Request) -> web.Response:
        self.settle()
        part = request.query.get("nameContains", "")
        models = [_imported(model) for model in self._catalog.imported.values() if part in model.name]
        return web.json_response({"modelSummaries": models})

    async def _get_imported(self, request: web.Request) -> web.Response:
        model = self._found_imported(request)
        details = {
            "jobName": model.job_name,
            "jobArn": model.job_arn,
            "modelDataSource": {"s3DataSource": {"s3Uri": model.s3_uri}},
            "customModelUnits": {
                "customModelUnitsPerModelCopy": model.units_per_copy,
                "customModelUnitsVersion": "1.0",
            },
        }
        return web.json_response(_imported(model) | details)

    async def _delete_imported(self, request: web.Request) -> web.Response:
        model = self._found_imported(request)
        del self._catalog.imported[model.arn]
        return web.json_response({})

    async def _list_tags(self, request: web.Request) -> web.Response:
        self.settle()
        arn = json.loads(await request.read())["resourceARN"]
        if arn not in self._catalog.imported:
            raise AwsError(404, "ResourceNotFoundException", f"Could not find the resource {arn}.")
        tags = self._catalog.imported[arn].tags
        return web.json_response({"tags": [{"key": key, "value": value} for key, value in tags.items()]})

    def _job_with_token(self, token: str | None) -> ImportJob | None:
        return next((job for job in self.jobs.values() if token is not None and job.token == token), None)

    def _new_job(self, body: dict[str, Any]) -> ImportJob:
        now = self._now()
        code = hashlib.sha256(f"{body['jobName']} {len(self.jobs)}".encode()).hexdigest()[:12]
        arn = f"{self._arn_prefix}:model-import-job/{code}"
        model = ImportedModel(
            arn=f"{self._arn_prefix}:imported-model/{code}",
            name=body["importedModelName"],
            job_name=body["jobName"],
            job_arn=arn,
            s3_uri=body["modelDataSource"]["s3DataSource"]["s3Uri"],
            created_at=now,
            tags={tag["key"]: tag["value"] for tag in body.get("importedModelTags", [])},
        )
        return ImportJob(
            arn=arn,
            role_arn=body["roleArn"],
            token=body.get("clientRequestToken"),
            model=model,
            ends_at=now + timedelta(seconds=self.seconds),
            failure=self.failure,
        )

    def _job(self, job: ImportJob) -> dict[str, Any]:
        status = job.status(self._now())
        body = {
            "jobArn": job.arn,
            "jobName": job.name,
            "importedModelName": job.model.name,
            "status": status,
            "creationTime": job.model.created_at.isoformat(),
        }
        if status == "InProgress":
            return body | {"lastModifiedTime": job.model.created_at.isoformat()}
        ended = job.ends_at.isoformat()
        result = {"failureMessage": job.failure} if job.failure else {"importedModelArn": job.model.arn}
        return body | result | {"lastModifiedTime": ended, "endTime": ended}

    def _found_imported(self, request: web.Request) -> ImportedModel:
        self.settle()
        identifier = request.match_info["id"]
        model = self._catalog.find_imported(identifier)
        if model is None:
            raise AwsError(404, "ResourceNotFoundException", f"Could not find the imported model {identifier}.")
        return model


def _imported(model: ImportedModel) -> dict[str, Any]:
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created_at.isoformat(),
        "modelArchitecture": model.architecture,
        "instructSupported": model.instruct_supported,
    }
