"""Computes instances, time and billed amounts for a queue of images.

    python -m tools.capacity --images 1000000 --images-per-second 60 --instances 20 --viewers 10

The rate is that of one instance, measured by `python -m benchmarks queue` on a similar machine, or
with the first thousand messages in Azure. docs/scale.md explains the formula. Prices differ by
region and change, so this prints amounts to multiply with the price list.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools.shared.tables import table

__all__ = ["Capacity", "Job", "capacity", "instances_for", "main"]

# Azure SignalR Service counts an outbound message in pieces of this size.
SIGNALR_PIECE_BYTES = 2048
# The connections of one unit of its Standard tier.
SIGNALR_UNIT_CONNECTIONS = 1000
# A message costs the sender's put and the host's delete; a get fetches `batch_size` of them.
OPERATIONS_FOR_EACH_MESSAGE = 2


@dataclass(frozen=True)
class Job:
    """The work, and the resources for it.

    Attributes:
        images: messages on the queue.
        images_per_second: of one instance, measured.
        instances: the most instances.
        ramp_seconds: from the first instance to the last; they start at equal intervals.
        memory_gb: of one instance, as billed.
        batch_size: of host.json, the messages of one get.
        retries: the share of messages that are tried once more, 0.02 for two in a hundred.
        viewers: browsers that are connected all the time.
        result_bytes: size of one result as SignalR sends it.
        log_bytes: log output for one message.
    """

    images: int
    images_per_second: float
    instances: int
    ramp_seconds: float = 60.0
    memory_gb: float = 2.0
    batch_size: int = 16
    retries: float = 0.0
    viewers: int = 0
    result_bytes: int = 500
    log_bytes: int = 1000

    def __post_init__(self) -> None:
        for name, least in (
            ("images", 1),
            ("instances", 1),
            ("batch_size", 1),
            ("ramp_seconds", 0),
            ("retries", 0),
            ("viewers", 0),
            ("result_bytes", 1),
            ("log_bytes", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, not {getattr(self, name)}")
        if not self.images_per_second > 0 or not self.memory_gb > 0:
            raise ValueError("images_per_second and memory_gb must be more than 0")

    @property
    def runs(self) -> float:
        """The number of runs of the function, repeats included."""
        return self.images * (1 + self.retries)


@dataclass(frozen=True)
class Capacity:
    """The time and the amounts of a job.

    Attributes:
        seconds: from the first message to the last result.
        images_per_second: of all instances together.
        instance_seconds: the sum of the times of all instances.
        gb_seconds: the same times their memory, which Flex Consumption bills.
        executions: runs of the function.
        storage_operations: on the queue: put, get, delete.
        signalr_messages: outbound, in pieces of 2 KB.
        signalr_messages_per_second: at full speed.
        signalr_units: Standard units that the viewers' connections need.
        log_gb: data for Application Insights without sampling.
    """

    seconds: float
    images_per_second: float
    instance_seconds: float
    gb_seconds: float
    executions: float
    storage_operations: float
    signalr_messages: float
    signalr_messages_per_second: float
    signalr_units: int
    log_gb: float


def capacity(job: Job) -> Capacity:
    """Computes time and amounts of a job.

    While instances start evenly over R seconds to a full rate F, the work done by time t is
    F t^2 / 2R; after R it is F (t - R/2). Solved for the time at which all runs are done.
    """
    full = job.images_per_second * job.instances
    ramp = job.ramp_seconds if job.instances > 1 else 0.0
    done_in_ramp = full * ramp / 2
    if job.runs >= done_in_ramp:
        seconds = job.runs / full + ramp / 2
    else:
        seconds = math.sqrt(2 * ramp * job.runs / full)
    # Every instance works all its time, so the sum of times is the work, for any ramp.
    instance_seconds = job.runs / job.images_per_second
    pieces = math.ceil(job.result_bytes / SIGNALR_PIECE_BYTES)
    return Capacity(
        seconds=seconds,
        images_per_second=full,
        instance_seconds=instance_seconds,
        gb_seconds=instance_seconds * job.memory_gb,
        executions=job.runs,
        storage_operations=(
            job.images * OPERATIONS_FOR_EACH_MESSAGE
            + job.runs / job.batch_size
            # A failed run returns its message by one update in place of the delete.
            + job.images * job.retries
        ),
        signalr_messages=job.images * job.viewers * pieces,
        signalr_messages_per_second=full * job.viewers * pieces,
        signalr_units=math.ceil(job.viewers / SIGNALR_UNIT_CONNECTIONS),
        log_gb=job.runs * job.log_bytes / 1e9,
    )


def instances_for(job: Job, seconds: float) -> int:
    """Computes the fewest instances that finish the job in time, without a plan's limit."""
    if job.runs / job.images_per_second <= seconds:
        return 1
    if seconds < job.ramp_seconds:
        full = 2 * job.ramp_seconds * job.runs / seconds**2
    else:
        full = job.runs / (seconds - job.ramp_seconds / 2)
    return math.ceil(full / job.images_per_second)


def _time(seconds: float) -> str:
    rounded = round(seconds)
    hours, minutes = divmod(rounded // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rounded % 60:02d} s"


def as_table(job: Job) -> str:
    """Lays out what a job takes as a table."""
    result = capacity(job)
    units = "unit" if result.signalr_units == 1 else "units"
    rows = [
        ("images", f"{job.images:,}"),
        ("instances", f"{job.instances:,} at {job.images_per_second:g} images/s each"),
        ("images a second, all there", f"{result.images_per_second:,.0f}"),
        ("time", _time(result.seconds)),
        ("executions", f"{result.executions:,.0f}"),
        ("instance time", f"{result.instance_seconds:,.0f} s"),
        (f"memory time at {job.memory_gb:g} GB", f"{result.gb_seconds:,.0f} GB-s"),
        ("Storage queue operations", f"{result.storage_operations:,.0f}"),
        (f"SignalR messages, {job.viewers:,} watching", f"{result.signalr_messages:,.0f}"),
        ("SignalR messages a second", f"{result.signalr_messages_per_second:,.0f}"),
        ("SignalR units for connections", f"{result.signalr_units:,} {units}"),
        ("log, without sampling", f"{result.log_gb:.1f} GB"),
    ]
    return table(["what", "amount"], rows, right=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.capacity", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--images", type=int, required=True, help="messages on the queue")
    parser.add_argument(
        "--images-per-second", type=float, required=True, help="of one instance, measured"
    )
    how_many = parser.add_mutually_exclusive_group(required=True)
    how_many.add_argument("--instances", type=int, help="the most instances")
    how_many.add_argument("--within-minutes", type=float, help="compute the instances")
    parser.add_argument("--ramp-seconds", type=float, default=Job.ramp_seconds)
    parser.add_argument("--memory-gb", type=float, default=Job.memory_gb)
    parser.add_argument("--batch-size", type=int, default=Job.batch_size)
    parser.add_argument("--retries", type=float, default=Job.retries, help="0.02: two in a hundred")
    parser.add_argument("--viewers", type=int, default=Job.viewers, help="connected browsers")
    parser.add_argument("--result-bytes", type=int, default=Job.result_bytes)
    parser.add_argument("--log-bytes", type=int, default=Job.log_bytes, help="for each message")
    chosen = vars(parser.parse_args(arguments))
    minutes = chosen.pop("within_minutes")
    chosen["instances"] = chosen["instances"] if minutes is None else 1
    try:
        job = Job(**chosen)
        if minutes is not None:
            if not minutes > 0:
                raise ValueError("within_minutes must be more than 0")
            job = Job(**{**chosen, "instances": instances_for(job, minutes * 60)})
    except ValueError as error:
        parser.error(str(error))
    print(as_table(job))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
