std = "lua54"
cache = false
codes = true
max_line_length = 110
exclude_files = { "build*/", ".luarocks/", "lua_modules/" }

-- Declarations for the language server: nothing in them is ever called.
files["**/*.meta.lua"] = { ignore = { "211", "212", "241", "631" } }
files["spec/"] = { std = "+busted" }
files["rockspec/*.rockspec"] = { std = "+rockspec" }
files[".busted"] = { std = "lua54" }
