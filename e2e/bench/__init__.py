"""The figures that the documentation quotes: each measured beside something to compare it with, and held against its goal."""
