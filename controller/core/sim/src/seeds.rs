//! Which seeds are run.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seeds of schedules that once broke a promise, and how. They are run each time.
pub const FIXED: &[(u64, &str)] = &[
    (
        48,
        "a block was sent again that its pool did not hand out any more",
    ),
    (270, "the same, after the API server refused it as invalid"),
    (
        427,
        "a table that came back was not given the routes that it lacked",
    ),
    (
        545,
        "a double was deleted twice, and the second time the right route",
    ),
    (
        563,
        "etcd was restored under a lease that outlasts the repair",
    ),
    (
        871,
        "a block was sent again although a table that came back had a route for it",
    ),
    (
        1_274,
        "nobody recovered while listings showed no table at all",
    ),
    (
        1_707,
        "a creation that was there was taken for a conflict, beside a propagated route",
    ),
    (1_809, "the same, after somebody had deleted ours"),
    (
        2_384,
        "a table that came back kept routes of nodes that were gone",
    ),
    (2_489, "the same"),
    (
        2_682,
        "waiting for routes was told of each minute while everything was removed",
    ),
    (2_890, "each family of a node was led to by one table only"),
    (
        3_717,
        "a node came back whose routes could not be deleted, and lost its service",
    ),
    (
        21_861,
        "a node lost its pod CIDRs with a restoration and got them again, though another had them",
    ),
    (
        104_995,
        "a node that joined waited for a listing that was put off since earlier ones had failed",
    ),
    (
        119_124,
        "a node that opted out kept a block that it had lost with a restoration",
    ),
    (
        205_240,
        "a route outside all pools stayed, whose node went while there was no configuration",
    ),
    (205_648, "two pools of one name were told of in turns"),
    (212_073, "a teardown did not end when no table was left"),
    (
        302_563,
        "a creation that was there after a lost answer was taken for a conflict",
    ),
    (
        316_182,
        "a node without its labels got a block that was chosen before they mattered",
    ),
    (
        317_309,
        "a block was sent again although a table that came back had a route for it",
    ),
    (
        405_701,
        "a node that joined waited for the rest after a listing that had taken long",
    ),
    (
        410_174,
        "a node came back while the deletion of its route was under way, and lost its service",
    ),
    (
        416_967,
        "a teardown ended on a listing that did not cover a node outside all pools",
    ),
    (
        5_061_695,
        "a block was handed out while a table that came back could not be read",
    ),
    (
        5_088_343,
        "a network that was created again gave a block before anybody had looked",
    ),
    (
        5_122_822,
        "the loss of one family was hidden by less trouble with the other",
    ),
    (
        5_205_875,
        "one table's conflict took a node out of service whose instance had yet to be read",
    ),
    (
        5_398_236,
        "a route was led to where its node had been before it moved",
    ),
    (
        10_021_609,
        "a lease was taken whose record was set back while the candidate stood still",
    ),
    (
        10_185_242,
        "nodes of a pool that came back were out of service before anybody had looked",
    ),
    (
        12_480_747,
        "our route of a pool that was cut otherwise was told to be somebody else's",
    ),
    (
        13_268_538,
        "a node lost its pod CIDRs with a restoration to one that went before they were given anew",
    ),
    (
        13_667_423,
        "a route was deleted at 0 % since one was gone to whom it never led",
    ),
    (
        15_613_205,
        "a pool that came back gave a block before anybody had looked into it again",
    ),
    (
        15_685_670,
        "one of two routes was deleted for a listing that was older than the other's deletion",
    ),
    (
        15_724_912,
        "a pool held the address that two nodes had, and gave blocks when the first let go of it",
    ),
    (
        15_864_563,
        "a node that was recreated on its old machine got the ID of a machine that never was",
    ),
    (
        207_840_039_307,
        "the last route of a node was removed, which somebody had led to its new instance",
    ),
];

/// So many seeds belong to one day.
const PER_DAY: u64 = 10_000_000;

/// The first seed of today: each day walks elsewhere.
pub fn of_today() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = now.map_or(0, |now| now.as_secs() / 86_400);
    days * PER_DAY
}
