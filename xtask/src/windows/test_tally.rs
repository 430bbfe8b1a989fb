/// What the test programs of one `cargo test` reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestTally {
    pub(crate) programs: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl TestTally {
    /// Takes one line of output; anything but a test program's last line is passed over.
    pub(crate) fn line(&mut self, line: &str) {
        // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s
        let Some((_, counts)) = line
            .trim()
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.programs += 1;
        for count in counts.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_added_up() {
        let mut tally = TestTally::default();
        for line in [
            "running 4 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s\r\n",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        ] {
            tally.line(line);
        }
        let expected = TestTally {
            programs: 2,
            passed: 4,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn other_lines_count_for_nothing() {
        let mut tally = TestTally::default();
        tally.line("test passed ... ok");
        tally.line("test result: ");
        tally.line("note: test result: ok. 3 passed; 0 failed");
        assert_eq!(tally, TestTally::default());
    }
}
