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
    without: Vec<Vec<String>>,
    incomplete: Vec<usize>,
    steps: Vec<BulkStep>,
}

impl<'a> Order<'a> {
    pub(super) fn of(operations: &'a [ReadOperation]) -> Self {
        let named = operations.iter().enumerate().filter_map(|(at, operation)| {
            let operation = operation.as_ref().ok()?;
            let creates = operation.method == BulkMethod::Post;
            Some((operation.bulk_id.as_deref().filter(|_| creates)?, at))
        });
        Self {
            operations,
            creators: named.collect(),
            states: vec![State::Waiting; operations.len()],
            without: vec![Vec::new(); operations.len()],
            incomplete: Vec::new(),
            steps: Vec::with_capacity(operations.len()),
        }
    }

    pub(super) fn steps(mut self) -> Vec<BulkStep> {
        for at in 0..self.operations.len() {
            self.visit(at);
            for operation in std::mem::take(&mut self.incomplete) {
                self.steps.push(BulkStep::Complete { operation });
            }
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
                        Some(State::Begun) => {
                            if let Some(without) = self.without.get_mut(at) {
                                without.push(name.to_owned());
                            }
                        }
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

    fn finish(&mut self, operation: usize) {
        match self.states.get_mut(operation) {
            Some(state @ State::Begun) => *state = State::Done,
            _ => return,
        }
        let without = self
            .without
            .get_mut(operation)
            .map(std::mem::take)
            .unwrap_or_default();
        if !without.is_empty() {
            self.incomplete.push(operation);
        }
        self.steps.push(BulkStep::Carry { operation, without });
    }
}
