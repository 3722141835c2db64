#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zabrus_fuzz::snapshot::run(bytes));
