//! What the engine is told of nodes: by lists and watches, and by reads of single nodes that run
//! beside them and must not bring back what the watch has left behind.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Event,
    node::{NetworkCondition, Node, NodeKey},
};

/// The version of an object, by which newer is told from older; `None` if that cannot be told.
/// (Versions are decimal numbers of one sequence for all objects of a kind, see "Resource versions" in
/// Kubernetes' API concepts.)
pub type Version = Option<u64>;

/// What was told of each node last. There is one for each leadership.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// By name.
    seen: HashMap<Arc<str>, Sighting>,
    /// The newest version that list and watch have brought, of whichever node.
    newest: Version,
    /// How many lists were told.
    lists: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sighting {
    condition: NetworkCondition,
    /// In which list or watch brought it.
    version: Version,
}

/// A read of one node under way, as [`Feed::begin_read`] noted it.
#[derive(Debug, Clone)]
pub struct Reading {
    node: NodeKey,
    /// How many lists had been told.
    lists: u64,
    /// In which version the node was known; `None`: it was not known.
    known: Option<Version>,
}

/// What follows from the answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The engine is told this.
    Event(Event),
    /// The engine was told since the read was begun that the node is gone.
    Nothing,
    /// It cannot be said whether the answer is newer than what the engine was told: read again, after
    /// a pause.
    ReadAgain,
}

impl Feed {
    /// A list of all nodes was read.
    pub fn listed(&mut self, nodes: Vec<(Node, Version)>) -> Event {
        self.lists += 1;
        self.newest = nodes.iter().filter_map(|(_, version)| *version).max();
        let sighting = |(node, version): &(Node, Version)| {
            let condition = node.network;
            let sighting = Sighting {
                condition,
                version: *version,
            };
            (Arc::clone(&node.key.name), sighting)
        };
        self.seen = nodes.iter().map(sighting).collect();
        Event::NodesListed(nodes.into_iter().map(|(node, _)| node).collect())
    }

    /// The watch brought a node that was added or changed.
    pub fn watched(&mut self, node: Node, version: Version) -> Event {
        self.newest = self.newest.max(version);
        let sighting = Sighting {
            condition: node.network,
            version,
        };
        self.seen.insert(Arc::clone(&node.key.name), sighting);
        Event::NodeSeen(node)
    }

    /// The watch brought a node's deletion, which has a version of its own.
    pub fn deleted(&mut self, node: NodeKey, version: Version) -> Event {
        self.newest = self.newest.max(version);
        self.seen.remove(&node.name);
        Event::NodeGone(node)
    }

    /// A read of one node is begun.
    pub fn begin_read(&self, node: &NodeKey) -> Reading {
        Reading {
            node: node.clone(),
            lists: self.lists,
            known: self.version_of(node),
        }
    }

    /// The answer to a read: the node that has the name, if there is one.
    ///
    /// What is told of a node never goes back in time. A list may be older or newer than the answer,
    /// and after one the versions may have begun anew (etcd was restored from a snapshot), so an answer
    /// that meets one is of no use. A version that went back, although the watch brought nothing,
    /// says that a list is about to come.
    pub fn answered(&self, reading: &Reading, found: Option<(Node, Version)>) -> Told {
        if reading.lists != self.lists {
            return Told::ReadAgain;
        }
        let node = &reading.node;
        let known = self.version_of(node);
        let told_since = known != reading.known;
        let Some((found, version)) = found.filter(|(found, _)| found.key == *node) else {
            // An UID never comes back.
            return Told::Event(Event::NodeRead {
                key: node.clone(),
                node: None,
            });
        };
        let newer = match (known, version) {
            // The watch brought its deletion, or has not come so far yet.
            (None, Some(_)) => !told_since && version > self.newest,
            (Some(Some(_)), Some(_)) => Some(version) >= known,
            _ => true,
        };
        match (newer, told_since) {
            (true, _) => Told::Event(Event::NodeRead {
                key: node.clone(),
                node: Some(found),
            }),
            (false, true) if known.is_none() => Told::Nothing,
            (false, _) => Told::ReadAgain,
        }
    }

    /// What the condition `NetworkUnavailable` was last seen, or written, to say.
    pub fn condition(&self, name: &str) -> Option<NetworkCondition> {
        self.seen.get(name).map(|seen| seen.condition)
    }

    /// We wrote the condition.
    pub fn condition_written(&mut self, name: &str, condition: NetworkCondition) {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.condition = condition;
        }
    }

    fn version_of(&self, node: &NodeKey) -> Option<Version> {
        self.seen.get(&node.name).map(|seen| seen.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uid: &str) -> NodeKey {
        NodeKey::new("a", uid)
    }

    fn node(uid: &str) -> Node {
        Node::bare(key(uid))
    }

    fn feed(version: u64) -> Feed {
        let mut feed = Feed::default();
        feed.listed(vec![(node("u"), Some(version))]);
        feed
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the answer comes")]
    fn found(version: u64) -> Option<(Node, Version)> {
        Some((node("u"), Some(version)))
    }

    fn seen() -> Told {
        Told::Event(Event::NodeRead {
            key: key("u"),
            node: Some(node("u")),
        })
    }

    fn gone() -> Told {
        Told::Event(Event::NodeRead {
            key: key("u"),
            node: None,
        })
    }

    #[test]
    fn a_node_read_before_the_watch_brought_it_anew_is_not_told() {
        let mut feed = feed(9);
        let reading = feed.begin_read(&key("u"));
        // More digits are more, whatever they begin with.
        feed.watched(node("u"), Some(1000));
        assert_eq!(feed.answered(&reading, found(999)), Told::ReadAgain);
        assert_eq!(feed.answered(&reading, found(1000)), seen());
        assert_eq!(feed.answered(&reading, found(1001)), seen());
    }

    #[test]
    fn a_node_read_before_the_watch_brought_its_deletion_is_not_told() {
        let mut feed = feed(5);
        let reading = feed.begin_read(&key("u"));
        feed.deleted(key("u"), Some(7));
        assert_eq!(feed.answered(&reading, found(6)), Told::Nothing);
        assert_eq!(feed.answered(&reading, None), gone());
    }

    /// Its deletion may have been told before the read was begun.
    #[test]
    fn a_node_that_is_not_known_is_told_only_if_it_is_newer_than_all_that_was_told() {
        let other = Node::bare(NodeKey::new("b", "w"));
        let mut feed = Feed::default();
        feed.listed(vec![(other.clone(), Some(5))]);
        let bring: [fn(&mut Feed, Node); 3] = [
            |_, _| (),
            |feed, other| drop(feed.watched(other, Some(6))),
            |feed, _| drop(feed.deleted(key("u"), Some(7))),
        ];
        for (newest, bring) in (5..).zip(bring) {
            bring(&mut feed, other.clone());
            let reading = feed.begin_read(&key("u"));
            assert_eq!(feed.answered(&reading, found(newest)), Told::ReadAgain);
            assert_eq!(feed.answered(&reading, found(newest + 1)), seen());
        }
    }

    #[test]
    fn another_node_of_that_name_means_that_the_one_asked_for_is_gone() {
        let feed = feed(5);
        let reading = feed.begin_read(&key("u"));
        let other = Some((node("v"), Some(8)));
        assert_eq!(feed.answered(&reading, other), gone());
    }

    #[test]
    fn an_answer_that_met_a_list_is_of_no_use() {
        let mut feed = feed(5);
        let reading = feed.begin_read(&key("u"));
        feed.listed(vec![(node("u"), Some(4))]);
        assert_eq!(feed.answered(&reading, found(6)), Told::ReadAgain);
        assert_eq!(feed.answered(&reading, None), Told::ReadAgain);
        feed.listed(Vec::new());
        assert_eq!(feed.answered(&reading, found(6)), Told::ReadAgain);
    }

    #[test]
    fn a_version_that_went_back_is_not_told_before_the_list_that_must_follow() {
        let mut feed = feed(50);
        let reading = feed.begin_read(&key("u"));
        assert_eq!(feed.answered(&reading, found(40)), Told::ReadAgain);
        feed.listed(vec![(node("u"), Some(40))]);
        let reading = feed.begin_read(&key("u"));
        assert_eq!(feed.answered(&reading, found(40)), seen());
    }

    #[test]
    fn versions_that_are_no_numbers_are_told_as_they_come() {
        let mut feed = Feed::default();
        feed.listed(vec![(node("u"), None)]);
        let reading = feed.begin_read(&key("u"));
        assert_eq!(feed.answered(&reading, Some((node("u"), None))), seen());
        assert_eq!(feed.answered(&reading, found(1)), seen());
    }

    #[test]
    fn the_condition_is_what_was_seen_or_written_last() {
        let mut feed = feed(5);
        assert_eq!(feed.condition("a"), Some(NetworkCondition::Unknown));
        feed.condition_written("a", NetworkCondition::Available);
        assert_eq!(feed.condition("a"), Some(NetworkCondition::Available));
        feed.watched(node("u"), Some(6));
        assert_eq!(feed.condition("a"), Some(NetworkCondition::Unknown));
        feed.deleted(key("u"), Some(7));
        feed.condition_written("a", NetworkCondition::Available);
        assert_eq!(feed.condition("a"), None);
    }
}
