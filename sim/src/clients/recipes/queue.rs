//! A queue as kazoo's `Queue` has it: items are nodes with numbers, and whoever deletes one
//! has it. Some players only take, and wait for items.

use zabrus_core::wire::OpCode;

use super::{Note, Play, Scene, Told, create, delete, number, read};
use crate::clients::registry::Kind;
use crate::clients::workload::Ask;

/// The parent of all items.
pub const QUEUE: &str = "/recipe/queue";

#[derive(Debug, Default)]
enum Step {
    #[default]
    Choose,
    Put,
    List,
    /// It reads the next of the items that it knows of.
    Read,
    Take {
        producer: u32,
        item: u64,
    },
    Wait,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    step: Step,
    /// How many items it has put.
    put: u64,
    /// The names of items, the next at the end.
    items: Vec<String>,
}

impl Queue {
    fn next_item(&mut self) {
        self.items.pop();
        self.step = if self.items.is_empty() { Step::List } else { Step::Read };
    }
}

impl Play for Queue {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", QUEUE]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        let only_takes = scene.player % 2 == 1;
        if matches!(self.step, Step::Choose) {
            self.step = if only_takes || scene.random.chance(300) { Step::List } else { Step::Put };
        }
        let next = || format!("{QUEUE}/{}", self.items.last().map_or("", String::as_str));
        Some(match self.step {
            Step::Put => {
                self.put += 1;
                scene.note(Note::Putting { number: self.put });
                let item = format!("{} {}", scene.player, self.put);
                create(OpCode::Create2, &format!("{QUEUE}/item-"), &item, 2)
            }
            Step::List => read(OpCode::GetChildren, QUEUE, only_takes.then_some(Kind::Child)),
            Step::Read => read(OpCode::GetData, &next(), None),
            Step::Take { .. } => {
                scene.note(Note::Taking { place: number(&next()) });
                delete(&next())
            }
            Step::Wait | Step::Choose => return None,
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        match self.step {
            Step::Put => {
                if let Some((path, _)) = told.created() {
                    scene.note(Note::Put { number: self.put, place: number(&path) });
                }
                self.step = Step::Choose;
            }
            Step::List => {
                let Some(names) = told.names() else { return };
                self.items = names;
                self.items.sort_unstable_by_key(|name| std::cmp::Reverse(number(name)));
                self.step = match self.items.is_empty() {
                    false => Step::Read,
                    true if scene.player % 2 == 1 => Step::Wait,
                    true => Step::Choose,
                };
            }
            Step::Read => {
                let item = told.data().and_then(|(text, _)| {
                    let (producer, item) = text.split_once(' ')?;
                    Some((producer.parse().ok()?, item.parse().ok()?))
                });
                match item {
                    Some((producer, item)) => self.step = Step::Take { producer, item },
                    None => self.next_item(),
                }
            }
            Step::Take { producer, item } => {
                if told.done() {
                    let place = self.items.last().map_or(-1, |name| number(name));
                    scene.note(Note::Took { producer, number: item, place });
                    self.step = Step::Choose;
                } else {
                    scene.note(Note::TakenBefore);
                    self.next_item();
                }
            }
            Step::Choose | Step::Wait => {}
        }
    }

    fn cut(&mut self) {
        self.step = Step::Choose;
    }

    fn heard(&mut self) {
        if matches!(self.step, Step::Wait) {
            self.step = Step::List;
        }
    }

    fn ended(&mut self, _: &mut Scene<'_>) {
        self.step = Step::Choose;
    }
}
