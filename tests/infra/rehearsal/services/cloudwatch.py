"""CloudWatch: log groups, alarms, dashboards."""

from __future__ import annotations

from typing import Final

from tests.infra.rehearsal.cloud import Aws
from tests.infra.rehearsal.kind import Kept, Kind, Made, Values, chosen, put, tag_list


def _create_logs(aws: Aws, inputs: Values) -> Made:
    name = inputs["name"]
    tags = {"tags": dict(inputs["tags"])} if inputs.get("tags") else {}
    aws.logs.create_log_group(logGroupName=name, **chosen(inputs, kmsKeyId="kmsKeyId"), **tags)
    _retain(aws, name, inputs)
    return Made(name, {"arn": f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{name}"})


def _retain(aws: Aws, name: str, inputs: Values) -> None:
    days = inputs.get("retentionInDays")
    if days:
        aws.logs.put_retention_policy(logGroupName=name, retentionInDays=days)


def _update_logs(aws: Aws, kept: Kept, inputs: Values) -> Values:
    _retain(aws, kept.id, inputs)
    return {}


def _put_alarm(aws: Aws, inputs: Values) -> None:
    wanted = chosen(
        inputs,
        AlarmDescription="alarmDescription",
        Namespace="namespace",
        MetricName="metricName",
        Statistic="statistic",
        Period="period",
        EvaluationPeriods="evaluationPeriods",
        DatapointsToAlarm="datapointsToAlarm",
        Threshold="threshold",
        ComparisonOperator="comparisonOperator",
        TreatMissingData="treatMissingData",
        AlarmActions="alarmActions",
        OKActions="okActions",
    )
    dimensions = [{"Name": k, "Value": v} for k, v in (inputs.get("dimensions") or {}).items()]
    aws.cloudwatch.put_metric_alarm(
        AlarmName=inputs["name"], Dimensions=dimensions, Tags=tag_list(inputs), **wanted
    )


def _put_dashboard(aws: Aws, inputs: Values) -> None:
    aws.cloudwatch.put_dashboard(
        DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
    )


KINDS: Final = {
    "aws:cloudwatch/logGroup:LogGroup": Kind(
        _create_logs,
        lambda aws, kept: aws.logs.delete_log_group(logGroupName=kept.id),
        _update_logs,
        frozenset({"name"}),
        tagged=True,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": put(
        _put_alarm,
        lambda aws, kept: aws.cloudwatch.delete_alarms(AlarmNames=[kept.id]),
        lambda inputs: str(inputs["name"]),
        frozenset({"name"}),
        tagged=True,
    ),
    "aws:cloudwatch/dashboard:Dashboard": put(
        _put_dashboard,
        lambda aws, kept: aws.cloudwatch.delete_dashboards(DashboardNames=[kept.id]),
        lambda inputs: str(inputs["dashboardName"]),
        frozenset({"dashboardName"}),
    ),
}
