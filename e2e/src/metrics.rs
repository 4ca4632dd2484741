//! Reading of the text format in which programs serve their metrics.

/// The sum of a metric's series that have all these labels, each as `name="value"`; none if there is
/// no such series.
pub fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut sum = None;
    for line in text.lines() {
        let (series, number) = line.rsplit_once(' ').unwrap_or_default();
        let named = series == name || series.starts_with(&format!("{name}{{"));
        if named && labels.iter().all(|label| series.contains(label)) {
            *sum.get_or_insert(0.0) += number.parse::<f64>().unwrap_or(f64::NAN);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_series_by_name_and_labels() {
        let text = "a{x=\"1\",y=\"1\"} 2\na{x=\"1\",y=\"2\"} 3\nab{x=\"1\"} 7\na{x=\"2\"} 11\n";
        assert_eq!(value(text, "a", &["x=\"1\""]), Some(5.0));
        assert_eq!(value(text, "ab", &[]), Some(7.0));
        assert_eq!(value(text, "b", &[]), None);
    }
}
