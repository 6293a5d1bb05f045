"""`pellucid study status`: which tasks of a run are complete, and what failed."""

from __future__ import annotations

from pellucid.cli import console
from pellucid.cli.specs import OutOption, SpecArgument, TrialsOption, read
from pellucid.ground.numbers import duration

EXAMPLE = "Example: pellucid study status runs/mystudy"


def status(study: SpecArgument, *, out: OutOption = None, trials: TrialsOption = None) -> None:
    """Show which tasks of a run are complete, and what failed."""
    from pellucid.ground.errors import InputError
    from pellucid.rundir.folder import RunFolder
    from pellucid.rundir.outputs import damaged_tasks, read_record
    from pellucid.study.plan import Plan
    from pellucid.study.run import claimed, study_tasks

    _, spec, root = read(study, trials, out)
    folder = RunFolder(root)
    plan = Plan(spec, folder)
    if not claimed(plan):
        raise InputError(
            folder.root,
            "no run of this study exists",
            "Start it with `pellucid study run`, or give the run directory, such as ./demo",
        )
    record = read_record(folder.record) if folder.record.is_file() else {}
    known, damaged = record.get("tasks", {}), damaged_tasks(record, folder.root)
    tasks = study_tasks(plan)
    for task in tasks:
        entry = known.get(task.name, {})
        state = "complete" if task.complete else entry.get("state", "waiting")
        state = "damaged" if task.name in damaged else state
        # What runs now and what was killed look alike here: neither has said that it ended.
        state = "begun" if state == "running" else "waiting" if state == "done" else state
        note = entry.get("error", "") if state in ("failed", "blocked") else ""
        tried = f"(tried {entry['attempts']} times)" if "attempts" in entry else ""
        seconds = duration(entry["seconds"]) if state == "complete" and "seconds" in entry else ""
        console.say(" ".join(part for part in (f"{state:9}", task.name, note or seconds, tried) if part))
        for kind, said in (("problems", "excluded"), ("remarks", "remark")):
            for problem in entry.get(kind, []):
                console.say(f"          {said}: {problem['subject']}: {problem['message']}")
        for bad in damaged.get(task.name, []):
            console.say(f"          {bad.words(folder.root)}")
    complete = sum(task.complete and task.name not in damaged for task in tasks)
    console.say(f"{complete} of {len(tasks)} tasks are complete")
