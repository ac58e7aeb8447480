//! The words of the system: ids, names, validated values, states and their legal moves.
