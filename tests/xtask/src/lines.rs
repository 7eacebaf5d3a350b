//! The receiver's standard output: the awaited line goes to whoever waits for it, all others are passed on.
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A thread that reads until the output ends.
pub(crate) struct Lines {
    awaited: Receiver<String>,
    reader: JoinHandle<()>,
}

impl Lines {
    /// Reads on; `mark` is what the awaited line has and no other.
    pub(crate) fn read(output: impl Read + Send + 'static, mark: String) -> Self {
        let (found, awaited) = sync_channel(1);
        let reader = thread::spawn(move || pass_on(BufReader::new(output), &mark, &found, io::stdout()));
        Self { awaited, reader }
    }

    /// The awaited line.
    ///
    /// # Errors
    /// When it does not come in time, or the output ends before it.
    pub(crate) fn awaited(&self, wait: Duration) -> Result<String, RecvTimeoutError> {
        self.awaited.recv_timeout(wait)
    }

    /// Returns when the last line is passed on.
    pub(crate) fn finish(self) {
        // A reader that panicked has said so.
        let _ = self.reader.join();
    }
}

/// A line is passed on as it came. That nobody reads ours any more is no reason to stop reading: the receiver would
/// come to a halt.
fn pass_on(mut output: impl BufRead, mark: &str, found: &SyncSender<String>, mut ours: impl Write) {
    let mut waiting = true;
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let text = String::from_utf8_lossy(&line);
        if waiting && text.contains(mark) {
            waiting = found.try_send(text.trim_end().to_owned()).is_err();
        } else {
            let _ = ours.write_all(&line).and_then(|()| ours.flush());
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_marked_line_is_handed_over_and_all_others_are_passed_on() {
        let (found, awaited) = sync_channel(1);
        let mut ours = Vec::new();
        pass_on(&b"{\"id\":1}\n{\"id\":2}\n\xff\n{\"id\":2}\nrest"[..], "\"id\":2", &found, &mut ours);
        assert_eq!(awaited.try_recv().as_deref(), Ok("{\"id\":2}"));
        assert_eq!(ours, b"{\"id\":1}\n\xff\n{\"id\":2}\nrest");
    }
}
