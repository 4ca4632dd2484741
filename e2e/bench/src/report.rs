//! What was measured, as a table and as JSON: the one place that all benchmarks add to.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Values of several rounds; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// `None` without values.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    /// The middle value, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        } else {
            self.0[middle]
        }
    }

    fn range(&self) -> [f64; 2] {
        [self.0[0], self.0[self.0.len() - 1]]
    }
}

/// One line: what was done, what it cost us and others, and whether that is good enough.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) work: String,
    /// Ours, median.
    pub(crate) ours: Option<f64>,
    /// The incumbent's, median.
    pub(crate) peer: Option<f64>,
    /// What is possible at best, median.
    pub(crate) floor: Option<f64>,
    /// Unit of the three.
    pub(crate) unit: String,
    /// Median of the rounds' ratios of ours to the peer, the floor or the bound, whichever there is;
    /// of rates the inverse. Smaller is better.
    pub(crate) ratio: Option<f64>,
    /// Most that the ratio may be; none where it is only reported.
    pub(crate) goal: Option<f64>,
    /// Least and greatest of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ours_range: Option<[f64; 2]>,
    /// Least and greatest of the peer or the floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference_range: Option<[f64; 2]>,
    /// Least and greatest of the rounds' ratios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio_range: Option<[f64; 2]>,
    /// The value, in `unit`, that the ratio is to, where it is to nothing that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bound: Option<f64>,
}

/// What ours is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Against<'a> {
    /// Nothing: it is only reported.
    Nothing,
    /// The incumbent, round by round.
    Peer(&'a [f64]),
    /// The least possible, round by round.
    Floor(&'a [f64]),
    /// A value that it must not exceed.
    Bound(f64),
}

impl Row {
    /// A row of values of several rounds. `goal` bounds the ratio; a [`Against::Bound`] is its own.
    pub(crate) fn new(
        work: impl Into<String>,
        unit: &str,
        ours: &[f64],
        against: Against<'_>,
        goal: Option<f64>,
    ) -> Self {
        let reference = match against {
            Against::Nothing | Against::Bound(_) => None,
            Against::Peer(values) | Against::Floor(values) => Series::new(values.to_vec()),
        };
        let ratios: Vec<f64> = match against {
            Against::Nothing => Vec::new(),
            Against::Bound(bound) => ours.iter().map(|ours| ours / bound).collect(),
            Against::Peer(others) | Against::Floor(others) => ours
                .iter()
                .zip(others)
                .map(|(ours, it)| ours / it)
                .collect(),
        };
        let (ours, ratios) = (Series::new(ours.to_vec()), Series::new(ratios));
        let middle = reference.as_ref().map(Series::median);
        let bound = match against {
            Against::Bound(bound) => Some(bound),
            _ => None,
        };
        Self {
            work: work.into(),
            ours: ours.as_ref().map(Series::median),
            peer: middle.filter(|_| matches!(against, Against::Peer(_))),
            floor: middle.filter(|_| matches!(against, Against::Floor(_))),
            unit: unit.to_owned(),
            ratio: ratios.as_ref().map(Series::median),
            goal: goal.or(bound.map(|_| 1.0)),
            ours_range: ours.as_ref().map(Series::range),
            reference_range: reference.as_ref().map(Series::range),
            ratio_range: ratios.as_ref().map(Series::range),
            bound,
        }
    }

    /// The same of rates, of which more is better: the ratio is that of the peer to ours.
    pub(crate) fn rate(
        work: impl Into<String>,
        unit: &str,
        ours: &[f64],
        peer: &[f64],
        goal: Option<f64>,
    ) -> Self {
        let inverse = Self::new(work, unit, peer, Against::Peer(ours), goal);
        Self {
            ours: inverse.peer,
            peer: inverse.ours,
            ours_range: inverse.reference_range,
            reference_range: inverse.ours_range,
            ..inverse
        }
    }

    /// Whether the goal is met; `None` without one.
    fn is_met(&self) -> Option<bool> {
        Some(self.ratio? <= self.goal?)
    }
}

/// All rows so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row below the others.
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Writes all rows, a list of objects.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.rows)? + "\n";
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["work", "ours", "peer", "floor", "ratio", "goal", ""].map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(head)
            .chain(self.rows.iter().map(cells))
            .collect();
        let mut widths = [0; 7];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                if column == 0 {
                    write!(f, "{cell:<width$}")?;
                } else {
                    write!(f, "  {cell:>width$}")?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "medians, least..greatest of the rounds")
    }
}

fn cells(row: &Row) -> [String; 7] {
    let value = |value: Option<f64>, range: Option<[f64; 2]>| match value {
        Some(value) => format!("{}{}", with_unit(value, &row.unit), spread(value, range)),
        None => String::new(),
    };
    let reference = row.reference_range;
    [
        row.work.clone(),
        value(row.ours, row.ours_range),
        value(row.peer, reference),
        value(row.floor, reference),
        row.ratio.map_or(String::new(), |ratio| {
            format!("{}{}", number(ratio), spread(ratio, row.ratio_range))
        }),
        match (row.bound, row.goal) {
            (Some(bound), _) => format!("≤ {}", with_unit(bound, &row.unit)),
            (None, Some(goal)) => format!("≤ {}", number(goal)),
            (None, None) => String::new(),
        },
        match row.is_met() {
            Some(true) => "met".to_owned(),
            Some(false) => "MISSED".to_owned(),
            None => String::new(),
        },
    ]
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", number(value))
}

/// Nothing where all rounds gave the same.
fn spread(middle: f64, range: Option<[f64; 2]>) -> String {
    match range.map(|range| range.map(number)) {
        Some([least, greatest]) if least != greatest || least != number(middle) => {
            format!(" ({least}..{greatest})")
        }
        _ => String::new(),
    }
}

/// Three digits or so.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_ratios() {
        let row = Row::new(
            "w",
            "s",
            &[1.0, 9.0, 4.0],
            Against::Peer(&[2.0, 9.0, 16.0]),
            Some(0.4),
        );
        assert_eq!(
            (row.ours, row.peer, row.floor),
            (Some(4.0), Some(9.0), None)
        );
        assert_eq!(row.ratio, Some(0.5));
        assert_eq!(row.ratio_range, Some([0.25, 1.0]));
        assert_eq!(row.is_met(), Some(false));
    }

    #[test]
    fn twice_the_rate_is_half_the_ratio() {
        let row = Row::rate("w", "per s", &[20.0, 40.0], &[10.0, 20.0], Some(0.5));
        assert_eq!((row.ours, row.peer), (Some(30.0), Some(15.0)));
        assert_eq!(row.ours_range, Some([20.0, 40.0]));
        assert_eq!((row.ratio, row.is_met()), (Some(0.5), Some(true)));
    }

    #[test]
    fn a_bound_is_a_goal_of_one() {
        let row = Row::new("w", "ms", &[40.0, 60.0], Against::Bound(100.0), None);
        assert_eq!((row.ratio, row.goal), (Some(0.5), Some(1.0)));
        assert_eq!(row.is_met(), Some(true));
        let table = Report { rows: vec![row] }.to_string();
        assert!(table.contains("50.0 ms (40.0..60.0)"), "{table}");
        assert!(table.contains("≤ 100 ms"), "{table}");
    }

    #[test]
    fn json_has_every_key_also_where_there_is_no_value() {
        let row = Row::new("w", "s", &[1.0], Against::Nothing, None);
        let json = serde_json::to_value(&row).unwrap();
        for key in ["work", "ours", "peer", "floor", "unit", "ratio", "goal"] {
            assert!(json.get(key).is_some(), "{key} in {json}");
        }
        assert!(json["goal"].is_null());
    }
}
