-- Checks what the files of core/ include: of the C library only headers that hold no world, of
-- the core only what lies below (an arrow of docs/design.md's "The house" points down).
-- Run at the top of the tree; prints each offence, exit status 1 if there is one.

local allowed <const> = {
  ["limits.h"] = true, ["stdbool.h"] = true, ["stddef.h"] = true, ["stdint.h"] = true,
  ["string.h"] = true, ["inttypes.h"] = true, ["stdalign.h"] = true, ["stdnoreturn.h"] = true,
  -- vector intrinsics, used only under the compiler's own feature macros
  ["immintrin.h"] = true, ["emmintrin.h"] = true, ["arm_neon.h"] = true,
}
-- `trace` may be written to from everywhere and looks at nothing.
local height <const> = { trace = 0, wire = 1, congestion = 1, tcp = 2, host = 3, socket = 4, network = 4 }
-- lunatcp/host.h is also where a connection's own words are: its states, events and figures.
local public_height <const> = setmetatable({ host = 2, socket_names = 4 }, { __index = height })

local offences = 0
local function offend(file, line, text)
  io.write(file, ":", line, ": ", text, "\n")
  offences = offences + 1
end

local function check_include(file, number, layer, bracket, name)
  if bracket == "<" then
    if not allowed[name] then offend(file, number, "the core may not include <" .. name .. ">") end
    return
  end
  local public = name:match("^lunatcp/([%w_]+)%.h$")
  local target = public or name:match("^([%w_]+)/") or name:match("^%.%./([%w_]+)/") or layer
  local above = public and public_height[public] or height[target]
  if not above or not height[layer] or target == layer then return end
  if above > height[layer] or (above == height[layer] and not public) then
    offend(file, number, layer .. " may not include " .. name .. ": it does not lie below")
  end
end

local function check_file(file)
  local layer = file:match("^core/([%w_]+)/") or ""
  if layer == "include" then layer = file:match("([%w_]+)%.h$") end
  local number = 0
  for line in io.lines(file) do
    number = number + 1
    local bracket, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    if name then check_include(file, number, layer, bracket, name) end
    local call = line:gsub('".-"', '""'):match("%f[%w_](assert)%s*%(") or
      line:match("%f[%w_](malloc)%s*%(") or line:match("%f[%w_](printf)%s*%(") or
      line:match("%f[%w_](getenv)%s*%(")
    if call and not line:match("^%s*%*") and not line:match("^%s*/%*") then
      offend(file, number, "the core may not call " .. call)
    end
  end
end

local list <close> = assert(io.popen("find core -name '*.[ch]' ! -path 'core/test/*' | LC_ALL=C sort"))
for file in list:lines() do check_file(file) end
os.exit(offences == 0)
