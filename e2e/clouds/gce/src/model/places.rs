//! Regions and zones.

/// Regions, the letters of their zones, and their ranges in networks of auto mode
/// ("VPC networks", "Auto mode IPv4 ranges").
const REGIONS: [(&str, &str, &str); 5] = [
    ("asia-east1", "abc", "10.140.0.0/20"),
    ("europe-west1", "bcd", "10.132.0.0/20"),
    ("europe-west3", "abc", "10.156.0.0/20"),
    ("us-central1", "abcf", "10.128.0.0/20"),
    ("us-east1", "bcd", "10.142.0.0/20"),
];

/// All regions, and their ranges in networks of auto mode.
pub(crate) fn regions() -> impl Iterator<Item = (&'static str, &'static str)> {
    REGIONS.iter().map(|(name, _, range)| (*name, *range))
}

/// All zones.
pub(crate) fn zones() -> impl Iterator<Item = String> {
    REGIONS.iter().flat_map(|(region, letters, _)| {
        letters
            .chars()
            .map(move |letter| format!("{region}-{letter}"))
    })
}
