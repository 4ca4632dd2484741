//! Situations that decide, each of which a long walk must meet: a rule that was never at work was not
//! judged.

macro_rules! rules {
    ($($name:ident $sentence:literal;)+) => {
        /// A situation for which there is a rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $(#[doc = $sentence] $name,)+ }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What happens in it.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

rules! {
    BlockOfAddedPool "a block was handed out of a pool that was added while running";
    BlockUsedAgain "a block was handed out that another node had before";
    BlockRightAfterCleanHandover "a leader after a clean handover gave a block before reads had settled";
    LabelsCameLater "a node that joined without labels got a block once it had them";
    RemovedPoolHeld "a pool was removed while a node had a block of it, and the holder was named";
    RemovedPoolOverlapped "a pool was added that overlaps a removed one of which a node has a block";
    WideClaimNotMinded "a block was handed out of a pool that a node claims as a whole";
    OrphanOutsidePools "the route of a node outside all pools was removed when the node was gone";

    TableForgotten "a table that listings lacked was forgotten";
    TableBack "a table that listings lacked was shown again";
    SecondListing "a second listing was begun beside one that took long";
    OperationOutlives "a change was carried out when who had asked for it led no more";
    PendingListed "a listing showed that something was being carried out for a destination";
    RemovedToLead "a route of ours was removed in order to lead it elsewhere";
    OldListing "the answer of a listing came after that of a later one";
    CreationWasThere "a creation after a lost answer found the route there";
    PropagatedBeside "a route of ours was made beside one that it takes precedence over";
    DoubleRemoved "one of two routes of ours for one destination was removed";
    RouteReplaced "a route of ours was led elsewhere";
    RangeBarred "a pool was refused since no route may lie there, and that was told";
    DeletionsHeld "deletions were held back, and that was told";
    DeletionDenied "a denied deletion was told";
    TableFull "a table was full, and that was told";
    DriftMended "somebody changed routes of ours, and that was told";

    LateLanding "a write to the API server happened after it was given up";
    LateSend "a process that was stopped before it sent wrote under another's lease";
    CidrsRead "a node was read since the fate of its pod CIDRs was not known";
    ReadTooOld "what was read of a node was older than what was told of it";
    ReadBetweenLists "what was read of a node could not be placed, and it was read again";
    NodeNotListed "a node was missing in a list after a broken watch";
    RestoredWhileLeading "etcd was restored and who led went on";
    CidrsRefused "a lasting refusal of pod CIDRs was told";

    CleanHandover "a leader followed another one that left nothing behind";
    UncleanHandover "a leader followed another one of which it knew nothing";
    WaitedForWrites "a process led again only when its earlier writes had ended";
    LongLease "leadership changed under a lease that lasts long";

    Conflict "a node was taken for unreachable since somebody else's route is there";
    ForeignInside "a route of somebody else inside a node's block was told, and the node kept its service";
    Withdrawn "a node in service was taken out of service";
    Contested "somebody else kept writing a node's condition, and that was told";
    Blackhole "a node was unreachable since packets along its route are dropped";
    Duplicate "a node was told that an older one has its pod CIDR";
    Exhausted "no pool had a block, and that was told";
    Forwarding "an instance was made to forward";
    TornDown "everything of ours was removed and the object went";
    JoinedInCalm "a node joined when all was well and was routed soon";
}
