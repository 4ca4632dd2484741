//! Settings that are made by message, as their files show them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use signpost_netlink::settings::{FOLDER, Setting, file, of_host_end};
use signpost_netlink::{Family, Netns, Request};

use crate::wired;

/// All that an interface has of IPv4, by its file.
fn all(netns: &Netns) -> BTreeMap<String, String> {
    let read = || {
        let folders = ["ipv4/conf/eth0", "ipv4/neigh/eth0"].map(|it| Path::new(FOLDER).join(it));
        let files = folders.iter().flat_map(|it| fs::read_dir(it).unwrap());
        let entries = files.map(|entry| entry.unwrap().path());
        entries
            .filter_map(|path| {
                let text = fs::read_to_string(&path).ok()?;
                Some((path.display().to_string(), text.trim().to_owned()))
            })
            .collect()
    };
    netns.run(read).unwrap()
}

#[test]
fn settings_made_by_message_are_those_of_their_files_and_no_others() {
    let (netns, mut socket, index) = wired();
    let arp_notify = (Family::V4, "arp_notify", "1");
    let settings = of_host_end(Path::new(FOLDER), true).chain([arp_notify]);
    let four = settings.filter(|(family, ..)| *family == Family::V4);
    for (family, key, value) in four.collect::<Vec<_>>() {
        let name = file(Path::new(FOLDER), "eth0", (family, key, value));
        let name = name.display().to_string();
        for value in ["1", "0", value] {
            let mut expected = all(&netns);
            let (requests, files) = Request::make_settings(index, [(family, key, value)]);
            assert_eq!((requests.len(), files.len()), (1, 0), "{key}");
            for outcome in socket.make_all(requests).unwrap() {
                outcome.unwrap();
            }
            expected.insert(name.clone(), value.into());
            assert_eq!(all(&netns), expected, "{key} {value}");
        }
    }
}

#[test]
fn settings_of_ipv6_and_what_is_no_number_take_their_files() {
    let settings: [Setting; 4] = [
        (Family::V6, "accept_redirects", "0"),
        (Family::V4, "rp_filter", "1"),
        (Family::V4, "accept_local", "-1"),
        (Family::V6, "disable_ipv6", "1"),
    ];
    let (requests, files) = Request::make_settings(1, settings);
    assert_eq!(requests.len(), 1);
    assert_eq!(files, [settings[0], settings[2], settings[3]]);
}
