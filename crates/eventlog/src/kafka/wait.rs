//! Waiting on threads of our own, without a runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::Duration;

/// Pauses this thread between two attempts; spurious wake-ups only make it shorter.
pub(crate) fn pause(time: Duration) {
    thread::park_timeout(time);
}

/// Waits for the client's answer on this thread. The client answers from a thread of its own, within the
/// time-out that it was given.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(ready) = future.as_mut().poll(&mut context) {
            return ready;
        }
        thread::park();
    }
}
