-- Single places in which the core is broken on purpose, to see that a spec or a C test fails:
-- `./dev mutate` (docs/testing.md). The entries stand in list/, by what they break. Each is
--
--   name         what the broken core does
--   requirement  what that violates
--   file         below core/
--   text, with   the source text, which occurs exactly once, and what takes its place
--   shown_by     the spec or C test that is known to fail, which is run first (optional)
--   equivalent   only of a mutant that nothing can tell from the original: why
--
-- Where the code has moved on, `text` is to be looked for again; an entry whose place is gone is replaced
-- by one that breaks what does its work now.
local list = {}
for _, room in ipairs {
  "arrival", "sending", "congestion", "connection", "host", "sockets", "wire", "network",
} do
  table.move(require("mutants.list." .. room), 1, 1000, #list + 1, list)
end
return list
