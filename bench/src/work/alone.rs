use super::Common;
use crate::harness::Place;
use crate::row::{Batch, Group, Measure, Result, Row, Work};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that one process does over and over, and that keeps nobody waiting.
pub(crate) trait Operation: Send + 'static {
    fn run(&mut self) -> Result<()>;
}

/// Near does it; far has the same object open and leaves it alone.
pub(crate) struct Alone<C> {
    common: C,
    silent: bool,
}

impl<C: Common<Side: Operation> + 'static> Alone<C> {
    pub(crate) fn row(group: Group, name: impl Into<String>, common: C) -> Row {
        let work = Alone {
            common,
            silent: false,
        };
        work.into_row(group, name)
    }

    /// The row says as well that no system call is made. (Checked where they can be counted, and a row that makes one
    /// fails.)
    pub(crate) fn silent_row(group: Group, name: impl Into<String>, common: C) -> Row {
        let work = Alone { common, silent: true };
        work.into_row(group, name)
    }

    fn into_row(self, group: Group, name: impl Into<String>) -> Row {
        let silent = self.silent;
        // Far does nothing, so one core is enough.
        let mut row = Row::new(group, name, Measure::Operation { times: 1 }, self).on_one_core();
        row.silent = silent;
        row
    }
}

impl<C: Common<Side: Operation>> Work for Alone<C> {
    fn before_pinning(&self) -> Result<()> {
        self.common.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let operation = Arc::new(Mutex::new(self.common.near(place)?));
        #[cfg(target_os = "linux")]
        if self.silent {
            let operation = operation.clone();
            let calls = crate::harness::count_calls(move || run(&operation, 1))?;
            if calls > 0 {
                return Err(format!("it made {calls} system calls, and should make none").into());
            }
        }
        Ok(Box::new(move |count| {
            let start = Instant::now();
            run(&operation, count)?;
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let side = self.common.far(place)?;
        Ok(Box::new(move |_| {
            let _open = &side;
            Ok(Duration::ZERO)
        }))
    }
}

/// So often. (It is locked because its system calls are counted on another thread, before.)
fn run(operation: &Mutex<impl Operation>, count: u64) -> Result<()> {
    let mut operation = operation.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..count {
        operation.run()?;
    }
    Ok(())
}
