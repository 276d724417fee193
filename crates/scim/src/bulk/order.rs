//! The order in which references of a bulk request can be resolved.

use super::{BulkMethod, BulkStep, ReadOperation};
use std::collections::{HashMap, HashSet};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Begun,
    Done,
}

/// Depth first, so that what is referred to comes before what refers to it. A frame is a reference: a thousand
/// operations in a chain need no deep stack.
pub(super) struct Order<'a> {
    operations: &'a [ReadOperation],
    creators: HashMap<&'a str, usize>,
    states: Vec<State>,
    /// When each was begun: what encloses another one was begun before it.
    begun: Vec<usize>,
    clock: usize,
    /// For each the names that it has to do without, and which of their operations is done last.
    without: Vec<(Vec<String>, usize)>,
    /// For each the operations that can be completed when it is done.
    closes: Vec<Vec<usize>>,
    steps: Vec<BulkStep>,
}

impl<'a> Order<'a> {
    pub(super) fn of(operations: &'a [ReadOperation]) -> Self {
        let named = operations.iter().enumerate().filter_map(|(at, operation)| {
            // One that could not be read has failed; what refers to it waits for that, too.
            let (method, name) = match operation {
                Ok(operation) => (Some(operation.method), &operation.bulk_id),
                Err(unread) => (unread.kind, &unread.bulk_id),
            };
            let creates = method == Some(BulkMethod::Post);
            Some((name.as_deref().filter(|_| creates)?, at))
        });
        Self {
            operations,
            creators: named.collect(),
            states: vec![State::Waiting; operations.len()],
            begun: vec![0; operations.len()],
            clock: 0,
            without: vec![(Vec::new(), 0); operations.len()],
            closes: vec![Vec::new(); operations.len()],
            steps: Vec::with_capacity(operations.len()),
        }
    }

    pub(super) fn steps(mut self) -> Vec<BulkStep> {
        for at in 0..self.operations.len() {
            self.visit(at);
        }
        self.steps
    }

    fn visit(&mut self, first: usize) {
        let mut stack = vec![(first, self.begin(first))];
        while let Some((at, mut needs)) = stack.pop() {
            match needs.pop() {
                None => self.finish(at),
                Some((name, needed)) => {
                    stack.push((at, needs));
                    match self.states.get(needed) {
                        Some(State::Waiting) => {
                            let needs = self.begin(needed);
                            stack.push((needed, needs));
                        }
                        Some(State::Begun) => self.do_without(at, name, needed),
                        Some(State::Done) | None => {}
                    }
                }
            }
        }
    }

    /// What an operation needs that a POST of the request creates, last reference first; nothing when it is done.
    fn begin(&mut self, at: usize) -> Vec<(&'a str, usize)> {
        match self.states.get_mut(at) {
            Some(state @ State::Waiting) => *state = State::Begun,
            _ => return Vec::new(),
        }
        self.clock += 1;
        if let Some(begun) = self.begun.get_mut(at) {
            *begun = self.clock;
        }
        let Some(Ok(operation)) = self.operations.get(at) else {
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let mut needs: Vec<(&str, usize)> = operation
            .references()
            .into_iter()
            .filter(|name| seen.insert(*name))
            .filter_map(|name| Some((name, *self.creators.get(name)?)))
            .collect();
        needs.reverse();
        needs
    }

    /// `needed` encloses `at`, so it is done after it.
    fn do_without(&mut self, at: usize, name: &str, needed: usize) {
        let when = |at: usize| self.begun.get(at).copied().unwrap_or_default();
        let encloses = |other: usize| when(needed) < when(other);
        let is_last = match self.without.get(at) {
            Some((names, last)) => names.is_empty() || encloses(*last),
            None => return,
        };
        if let Some((names, last)) = self.without.get_mut(at) {
            names.push(name.to_owned());
            if is_last {
                *last = needed;
            }
        }
    }

    fn finish(&mut self, operation: usize) {
        match self.states.get_mut(operation) {
            Some(state @ State::Begun) => *state = State::Done,
            _ => return,
        }
        let without = self.without.get_mut(operation).map(std::mem::take);
        let (without, last) = without.unwrap_or_default();
        if !without.is_empty()
            && let Some(closes) = self.closes.get_mut(last)
        {
            closes.push(operation);
        }
        self.steps.push(BulkStep::Carry { operation, without });
        let closes = self.closes.get_mut(operation).map(std::mem::take);
        let complete = |operation| BulkStep::Complete { operation };
        self.steps
            .extend(closes.unwrap_or_default().into_iter().map(complete));
    }
}
