//! Tests of layers, places and messages.
