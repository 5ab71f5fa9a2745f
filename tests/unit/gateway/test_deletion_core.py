"""The course of a delete, answer by answer, without a service: which calls follow, and where it waits."""

import pytest
from deletion_answers import (
    ACCOUNTS,
    BLOCK,
    BOT_ACCOUNT,
    BOTS,
    LAMPS,
    STAKES,
    Run,
    Say,
    applied,
    closed,
    said,
    standing,
)

from gateway.deletion.core import CLOSURES_MAX, DEPTH_MAX, ITEMS_MAX
from gateway.deletion.steps import Answer, Call, Referring, WaitingError
from gateway.upstream_errors import BadAnswerError


def fresh_purge(*relationships: Referring) -> dict[str, Say]:
    return {"deletions/purge": said("purging", *relationships, fresh=True)}


class TestCount:
    def test_each_service_is_asked_once_and_all_at_once(self) -> None:
        run = Run({"children/count": closed(BLOCK)})
        assert run.drive(run.core.count("users", "alice", [BOTS, LAMPS, STAKES])) == [BLOCK, BLOCK]
        (batch,) = run.batches
        assert [(call.service, call.body["relationships"]) for call in batch] == [
            ("bots", ["bots.userId", "lamps.userId"]),
            ("staking", ["stakes.userId"]),
        ]

    def test_answer_that_makes_no_sense_hides_no_other(self) -> None:
        run = Run({"children/count": [{"blockedBy": [{"relationship": 1}]}, closed(BLOCK)]})
        assert run.drive(run.core.count("users", "alice", [BOTS, STAKES])) == [BLOCK]

    def test_nobody_refers_to_it(self) -> None:
        run = Run()
        assert run.drive(run.core.count("users", "alice", [])) == []


class TestDecide:
    def test_nothing_refers_to_it(self) -> None:
        run = Run(fresh_purge())
        assert run.run(standing()).state == "done"
        assert run.paths == ["deletions/purge", "deletions/finish"]

    def test_blocked_is_refused_and_opened_again_a_step_later(self) -> None:
        run = Run({"children/close": [closed(BLOCK), closed()]})
        assert run.run(standing("deleting", STAKES, BOTS, epoch=3)).state == "refused"
        assert run.paths == ["children/close"] * 2 + ["deletions/refuse"] + ["children/reopen"] * 2
        assert run.bodies("deletions/refuse")[0]["blockedBy"] == [BLOCK]
        assert {body["items"][0]["epoch"] for body in run.bodies("children/close")} == {3}
        assert {body["items"][0]["epoch"] for body in run.bodies("children/reopen")} == {4}

    @pytest.mark.parametrize("turned", [False, True])
    def test_what_one_relationship_restricts_is_taken_off_none_of_its_siblings(self, turned: bool) -> None:
        siblings = [STAKES, LAMPS, BOTS] if turned else [LAMPS, BOTS, STAKES]
        run = Run({"children/close": [closed(), closed(BLOCK)] if not turned else [closed(BLOCK), closed()]})
        assert run.run(standing("deleting", *siblings)).state == "refused"
        assert set(run.paths) == {"children/close", "deletions/refuse", "children/reopen"}
        reopened = [name for body in run.bodies("children/reopen") for name in body["relationships"]]
        assert set(reopened) == {one.relationship for one in siblings}

    def test_refusal_that_came_too_late_opens_nothing(self) -> None:
        run = Run({"children/close": closed(BLOCK), "deletions/refuse": said("purging", STAKES)})
        assert run.run(standing("deleting", STAKES)).state == "done"
        assert "children/reopen" not in run.paths
        assert run.paths.count("children/close") == 2  # it did not purge, so it begins again at close

    def test_plan_has_the_rules_that_are_declared_now_in_the_order_of_leaves(self) -> None:
        rules = [{"relationship": "bots.userId", "onDelete": "SET_NULL"}]
        run = Run({"children/close": closed(rules=rules)}, order=lambda many: list(reversed(many)))
        run.run(standing("deleting", BOTS, ACCOUNTS))
        (purge,) = run.bodies("deletions/purge")
        assert [(one["relationship"], one["onDelete"]) for one in purge["plan"]] == [
            ("accounts.userId", "CASCADE"),
            ("bots.userId", "SET_NULL"),
        ]

    def test_purge_that_another_refused_is_refused(self) -> None:
        run = Run({"deletions/purge": said("refused", epoch=2)})
        assert run.run(standing("deleting", BOTS)).state == "refused"
        assert "children/apply" not in run.paths

    def test_newer_closure_means_overtaken(self) -> None:
        run = Run({"children/close": closed(stale=["k"]), "deletions/resume": said("refused", epoch=2)})
        assert run.run(standing("deleting", BOTS)).state == "refused"
        assert run.paths == ["children/close", "deletions/resume"]

    def test_newer_closure_that_its_owner_does_not_know_is_waited_for(self) -> None:
        run = Run({"children/close": closed(stale=["k"]), "deletions/resume": said("deleting")})
        with pytest.raises(WaitingError, match="restored from a backup") as waits:
            run.run(standing("deleting", BOTS))
        assert set(waits.value.services) == {"users"}

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {**closed(), "stale": None},
            {**closed(), "stale": [1]},
            {**closed(), "blockedBy": {}},
            closed({"relationship": "a", "count": "1", "ids": []}),
            closed({"relationship": "a", "count": 1, "ids": "abc"}),
            closed({"relationship": "a", "count": -1, "ids": []}),
            closed(rules=[{"relationship": "bots.userId"}]),
            closed(rules=["bots.userId"]),
        ],
    )
    def test_answer_that_makes_no_sense_decides_nothing(self, answer: Answer) -> None:
        run = Run({"children/close": answer})
        with pytest.raises(BadAnswerError):
            run.run(standing("deleting", BOTS))
        assert run.paths == ["children/close"]


class TestPurge:
    def test_own_purge_is_not_closed_twice_and_a_resumed_one_is(self) -> None:
        fresh, resumed = Run(), Run()
        fresh.run(standing("purging", BOTS, fresh=True))
        resumed.run(standing("purging", BOTS))
        assert fresh.paths == ["children/apply", "children/look", "deletions/finish"]
        assert resumed.paths == ["children/close", *fresh.paths]
        assert resumed.bodies("children/close")[0]["count"] is False

    def test_nothing_is_applied_where_the_rule_is_restrict(self) -> None:
        run = Run()
        run.run(standing("purging", STAKES, LAMPS, fresh=True))
        assert [body["relationship"] for body in run.bodies("children/apply")] == ["lamps.userId"]
        assert [body["relationships"] for body in run.bodies("children/look")] == [["stakes.userId"], ["lamps.userId"]]

    def test_batches_go_on_until_there_are_no_more(self) -> None:
        run = Run({"children/apply": [applied(removed=500, more=True), applied(set_null=3, more=True), applied()]})
        run.run(standing("purging", BOTS, fresh=True))
        assert (run.progress.removed, run.progress.set_null) == (500, 3)
        assert run.paths.count("children/apply") == 3
        assert run.bodies("deletions/finish")[0]["progress"] == {"removed": 500, "setNull": 3}

    def test_batch_that_changes_nothing_is_not_asked_for_again_at_once(self) -> None:
        run = Run({"children/apply": [applied(removed=500, more=True), applied(more=True)]})
        with pytest.raises(WaitingError, match=r"bots\.userId has more") as waits:
            run.run(standing("purging", BOTS, fresh=True))
        assert set(waits.value.services) == {"bots"}
        assert run.paths == ["children/apply"] * 2
        assert run.progress.removed == 500

    def test_what_is_left_keeps_the_root(self) -> None:
        run = Run({"children/look": {"left": ["bots.userId"]}})
        with pytest.raises(WaitingError) as waits:
            run.run(standing("purging", BOTS, fresh=True))
        assert waits.value.services == {"bots": "bots.userId still refers to users"}
        assert "deletions/finish" not in run.paths

    def test_newer_closure_of_a_purge_is_waited_for(self) -> None:
        run = Run({"children/close": closed(stale=["k"])})
        with pytest.raises(WaitingError, match="k was closed by a newer delete"):
            run.run(standing("purging", BOTS))
        assert run.paths == ["children/close"]

    def test_newer_closure_of_a_purge_is_said_of_who_has_it(self) -> None:
        run = Run({"children/close": lambda call: closed(stale=["k"] if call.service == "staking" else [])})
        with pytest.raises(WaitingError) as waits:
            run.run(standing("purging", BOTS, STAKES))
        assert set(waits.value.services) == {"staking"}

    def test_newer_closure_of_one_of_many_parents_is_not_lost(self) -> None:
        """Their closures go in several calls to the same service."""
        names = [Referring(f"bots.f{number}Id", "bots", "SET_NULL") for number in range(8)]
        forced = applied(*(f"b{number}" for number in range(ITEMS_MAX)), relationships=names)
        run = Run({"children/apply": forced, "children/close": [closed(stale=["k"]), closed()]})
        with pytest.raises(WaitingError, match="k was closed by a newer delete"):
            run.run(standing("purging", BOTS, fresh=True))

    @pytest.mark.parametrize(
        "changes",
        [
            {"setNull": None},
            {"removed": True},
            {"forced": [{"id": "b1"}]},
            {"forced": ["b1"]},
            {"forced": [{"id": 7, "epoch": 1}]},
            {"forced": [{"id": "b1", "epoch": 1}], "relationships": None},
            {"forced": [{"id": "b1", "epoch": 1}], "child": None},
        ],
    )
    def test_answer_that_makes_no_sense_removes_nothing(self, changes: Answer) -> None:
        run = Run({"children/apply": {**applied(), **changes}})
        with pytest.raises(BadAnswerError):
            run.run(standing("purging", BOTS, fresh=True))
        assert {"children/remove", "deletions/finish"}.isdisjoint(run.paths)

    def test_root_that_is_no_more_is_left_as_it_is(self) -> None:
        for state in ("done", "refused", "overtaken", "abandoned"):
            run = Run()
            assert run.run(standing(state, BOTS)).state == state
            assert run.paths == []


class TestForced:
    def test_forced_children_are_closed_emptied_looked_at_and_removed_before_the_next_batch(self) -> None:
        forced = applied("b1", "b2", relationships=[LAMPS], more=True)
        run = Run({"children/apply": [forced, applied(set_null=1), applied()], "children/remove": {"removed": 2}})
        assert run.run(standing("purging", BOTS, fresh=True)).state == "done"
        assert run.paths == [
            "children/apply",
            "children/close",
            "children/apply",
            "children/look",
            "children/remove",
            "children/apply",
            "children/look",
            "deletions/finish",
        ]
        assert run.bodies("children/close")[0]["items"] == [{"id": "b1", "epoch": 1}, {"id": "b2", "epoch": 1}]
        assert run.bodies("children/apply")[1]["ids"] == ["b1", "b2"]
        assert run.bodies("children/remove")[0]["entity"] == "bots"
        assert run.progress.removed == 2

    def test_closures_of_many_parents_go_in_calls_of_a_size_that_is_taken(self) -> None:
        names = [Referring(f"bots.f{number}Id", "bots", "SET_NULL") for number in range(8)]
        forced = applied(*(f"b{number}" for number in range(ITEMS_MAX)), relationships=names)
        run = Run({"children/apply": [forced, applied()]})
        run.run(standing("purging", BOTS, fresh=True))
        closes = run.bodies("children/close")
        assert sum(len(body["items"]) for body in closes) == ITEMS_MAX
        assert max(len(body["items"]) * len(body["relationships"]) for body in closes) == CLOSURES_MAX

    def test_forced_child_that_something_refers_to_is_not_removed(self) -> None:
        run = Run(
            {
                "children/apply": applied("b1", relationships=[BOT_ACCOUNT]),
                "children/look": lambda call: {"left": ["bots.accountId"] if call.body["parent"] == "bots" else []},
            }
        )
        with pytest.raises(WaitingError, match=r"bots\.accountId still refers to bots"):
            run.run(standing("purging", BOTS, fresh=True))
        assert "children/remove" not in run.paths

    def test_children_in_the_wrong_order_have_another_turn(self) -> None:
        """No document says that bots refer to accounts, and so accounts come first."""
        gone: list[str] = []

        def apply(call: Call) -> Answer:
            name = call.body["relationship"]
            if name in gone:
                return applied()
            if name == "accounts.userId":
                return applied("a1", child="accounts", relationships=[BOT_ACCOUNT])
            gone.append(name)
            return applied(removed=1)

        def look(call: Call) -> Answer:
            return {"left": [] if "bots.userId" in gone or call.body["parent"] == "users" else ["bots.accountId"]}

        run = Run({"children/apply": apply, "children/look": look})
        assert run.run(standing("purging", ACCOUNTS, BOTS, fresh=True)).state == "done"
        assert [body["relationship"] for body in run.bodies("children/apply")] == [
            "accounts.userId",
            "bots.userId",
            "accounts.userId",
        ]

    def test_cascade_without_end_is_cut_short(self) -> None:
        run = Run({"children/apply": applied("b1", relationships=[BOTS])})
        with pytest.raises(WaitingError, match=f"more than {DEPTH_MAX} deep"):
            run.run(standing("purging", BOTS, fresh=True))
        assert "children/remove" not in run.paths


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"epoch": "1"},
        {"relationships": {}},
        {"relationships": [{"relationship": "bots.userId"}]},
        {"blockedBy": [{"relationship": "bots.userId"}]},
        {"other": 7},
        {"other": "users.1\r\nSet-Cookie: a=b"},
        {"deletionId": "users.ä"},
        {"deletionId": "users.2"},
        {"deletionId": "users." + "1" * 200},
        {"progress": None},
        {"progress": {"removed": "many"}},
    ],
)
def test_owner_that_makes_no_sense_is_a_bad_answer(changes: Answer) -> None:
    run = Run({"deletions/finish": {**said("done"), **changes}})
    with pytest.raises(BadAnswerError):
        run.run(standing("purging", fresh=True))
