//! All rows, and which of them a run has.

use crate::row::{Group, Row};
use crate::{floors, peers, rows};

/// Every row that this system has, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    [floors::all(), rows::all(), peers::all()]
        .into_iter()
        .flatten()
        .collect()
}

/// Those with `pattern` in their name (in any case), their floors, and the floors that are always there.
pub(crate) fn select(rows: Vec<Row>, pattern: &str) -> Vec<Row> {
    let pattern = pattern.to_lowercase();
    let mut wanted: Vec<bool> = rows
        .iter()
        .map(|row| row.name.to_lowercase().contains(&pattern))
        .collect();
    if !wanted.contains(&true) {
        return Vec::new();
    }
    // A floor may itself be judged against another.
    for _ in 0..2 {
        for index in 0..rows.len() {
            if wanted[index] {
                for floor in floors_of(&rows, index) {
                    wanted[floor] = true;
                }
            }
        }
    }
    rows.into_iter()
        .zip(wanted)
        .filter(|(row, wanted)| *wanted || floors::ALWAYS.contains(&row.name.as_str()))
        .map(|(row, _)| row)
        .collect()
}

/// In which order to run `rows`, as indexes: every row close behind its floors, as a machine's speed drifts.
pub(crate) fn order(rows: &[Row]) -> Vec<usize> {
    let is_floor_of_another = |index: usize| {
        rows.iter().any(|row| {
            row.against
                .iter()
                .any(|against| against.floor == rows[index].name)
        })
    };
    let mut roots: Vec<usize> = (0..rows.len())
        .filter(|index| rows[*index].group != Group::Floor || !is_floor_of_another(*index))
        .collect();
    // Rows with the same first floor stand together behind it.
    roots.sort_by_key(|index| floors_of(rows, *index).first().copied().unwrap_or(*index));
    let mut order = Vec::with_capacity(rows.len());
    let mut add = |index: usize| {
        if !order.contains(&index) {
            order.push(index);
        }
    };
    for root in roots {
        for floor in floors_of(rows, root) {
            floors_of(rows, floor).into_iter().for_each(&mut add);
            add(floor);
        }
        add(root);
    }
    order
}

fn floors_of(rows: &[Row], index: usize) -> Vec<usize> {
    rows[index]
        .against
        .iter()
        .filter_map(|against| rows.iter().position(|row| row.name == against.floor))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_the_table() {
        for row in all() {
            // A floor's stands indented below what is judged against it.
            let room = if row.group == Group::Floor { 52 } else { 58 };
            assert!(row.name.chars().count() <= room, "{}", row.name);
        }
        let mut names: Vec<String> = all().into_iter().map(|row| row.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn every_floor_that_is_named_exists_and_is_a_floor_or_a_rival() {
        let rows = all();
        for row in &rows {
            for against in &row.against {
                let floor = rows.iter().find(|floor| floor.name == against.floor);
                let floor = floor.unwrap_or_else(|| panic!("{}: no floor {:?}", row.name, against.floor));
                assert!(matches!(floor.group, Group::Floor | Group::Peer));
            }
        }
        for name in floors::ALWAYS {
            assert!(rows.iter().any(|row| row.name == *name), "{name}");
        }
    }

    #[test]
    fn everything_runs_once_and_behind_its_floors() {
        let rows = all();
        let order = order(&rows);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..rows.len()).collect::<Vec<_>>());
        let place = |index: usize| order.iter().position(|other| *other == index);
        for index in 0..rows.len() {
            for floor in floors_of(&rows, index) {
                assert!(place(floor) < place(index), "{}", rows[index].name);
            }
        }
    }

    #[test]
    fn a_selection_brings_its_floors() {
        let rows = select(all(), "PIPE, BYTE, 64 KIB");
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert!(names.contains(&"quintet pipe, byte, 64 KiB writes"), "{names:?}");
        for row in &rows {
            for index in floors_of(
                &all(),
                all().iter().position(|other| other.name == row.name).unwrap(),
            ) {
                assert!(names.contains(&all()[index].name.as_str()));
            }
        }
        assert!(select(all(), "no such row").is_empty());
    }
}
