rockspec_format = "3.0"
package = "lunatcp"
version = "scm-1"
source = {
  url = "git+https://github.com/lunatcp/lunatcp.git",
}
description = {
  summary = "A complete TCP, held in the hand of a Lua script",
  detailed = [[
A whole TCP in portable C, bound to Lua 5.4. A script opens connections, drops
the third segment, forges a reset, and reads what happened: in virtual time over
a simulated network, in real time over UDP tunnels, or against a real kernel.]],
  license = "MIT",
  homepage = "https://github.com/lunatcp/lunatcp",
  labels = { "tcp", "network", "simulation", "testing" },
}
dependencies = {
  "lua >= 5.4, < 5.5",
  "argparse >= 0.7",
  "dkjson >= 2.5",
  "lpeg >= 1.0",
  "luv >= 1.36",
}
external_dependencies = {
  UV = { header = "uv.h", library = "uv" },
}
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    LUA_INCDIR = "$(LUA_INCDIR)",
    UV_INCDIR = "$(UV_INCDIR)",
    UV_LIBDIR = "$(UV_LIBDIR)",
    LIBDIR = "$(LIBDIR)",
    LUADIR = "$(LUADIR)",
  },
  install = {
    bin = { lunatcp = "bin/lunatcp" },
  },
}
test = {
  type = "command",
  command = "busted --lua=lua5.4",
}
