"""RQ entry points of copies in the cloud; those with a node run on that node."""

from cctv.services.bucket import cloud_expiry, cloud_trials, transfer_rules, transfers


def tick() -> None:
    """Every 10 s: give the nodes that have something to do their turn."""
    transfers.dispatch()


def plan() -> None:
    """Every minute: ask for what the rules want of what was kept lately."""
    transfer_rules.plan()
    transfers.dispatch()


def plan_all() -> None:
    """After the rules were changed, and every hour: look at everything that they hold for, old copies too."""
    transfer_rules.plan_all()
    cloud_expiry.expire()
    transfers.dispatch()


def try_bucket(trial_id: int) -> None:
    """The test of the settings page."""
    cloud_trials.run(trial_id)


def run(node_id: int, turn: str) -> None:
    """A slice of a node's transfers."""
    transfers.run(node_id, turn)
