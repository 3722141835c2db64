//! A state is put together from arbitrary chunks: an error, or a state that is whole, that takes transactions,
//! and that comes back from its own chunks.

use zabrus_core::state::{State, StateBuilder};
use zabrus_core::wire::Transaction;

use crate::pieces;

fn assert_whole(state: &State) {
    assert_eq!(state.digest(), state.recomputed_digest());
    let mut builder = StateBuilder::default();
    let mut snapshot = state.snapshot();
    while let Some((chunk, _)) = snapshot.next_chunk(64) {
        builder.add(&chunk).expect("its own chunk");
    }
    assert_eq!(builder.finish().expect("its own chunks").digest(), state.digest());
}

/// The pieces are chunks of a snapshot, or transactions.
pub fn run(input: &[u8]) {
    let mut builder = StateBuilder::default();
    let mut transactions = Vec::new();
    for (tag, piece) in pieces(input) {
        if tag % 2 == 0 {
            if builder.add(piece).is_err() {
                return;
            }
        } else if let Ok(transaction) = Transaction::decode(piece) {
            transactions.push(transaction);
        }
    }
    let Ok(mut state) = builder.finish() else { return };
    assert_whole(&state);
    for transaction in transactions {
        state.apply(&transaction, &mut |_| {});
    }
    assert_whole(&state);
}
