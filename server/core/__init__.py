"""The rules, plain and synchronous: values in, effects out; `now` and new ids are arguments."""
