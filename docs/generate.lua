-- docs/generate.lua - writes docs/settings.md from the engine's own list, and the manual pages in docs/man
-- from what the commands say of themselves. Run by `./dev docs`.
local cli = require "lunatcp.cli"
local core = require "lunatcp.core"
local man = require "lunatcp.cli.man"

local function value_of(setting, value)
  if setting.kind == "flag" then return value and "on" or "off" end
  if setting.kind == "time" then return ("%g s"):format(value) end
  return tostring(value)
end

local here = arg[0]:match "^(.*)/" or "."
local out = assert(io.open(here .. "/settings.md", "w"))
out:write [[
# Settings

Made by `./dev docs`; not to be edited. Every default of the engine is a setting of a host
(`net:host("a", { nagle = false })`), of a listener (`host:listen(80, { nagle = false })`), of a connect call
or of a connection (`conn:set { nagle = false }`), and a profile (`{ profile = "linux" }`) is a table of them.
Times are seconds, sizes octets; -1 means what the last column says.

Three more are no numbers: `congestion`, the name of a congestion control (`newreno` in `rfc`, `cubic` in
`linux`; `lunatcp.congestions()` lists them), and `syn_options` and `other_options`, the order of options in a
SYN and in any other segment (`{ "mss", "sack_permitted", "timestamps", "window_scale" }`).

| setting | `rfc` | `linux` | what it is |
| --- | --- | --- | --- |
]]
for _, setting in ipairs(core.settings_list()) do
  out:write(("| `%s` | %s | %s | %s |\n"):format(setting.name, value_of(setting, setting.rfc),
    value_of(setting, setting.linux), setting.what))
end
assert(out:close())

for _, page in ipairs(man.pages((cli.parser()))) do
  local file <close> = assert(io.open(("%s/man/%s"):format(here, page[1]), "w"))
  assert(file:write(page[2]))
end
