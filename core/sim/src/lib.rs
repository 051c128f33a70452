//! Seeded simulation over the real engine.
