std = "lua54"
cache = false
codes = true
max_line_length = 110
exclude_files = { "build*/", ".luarocks/", "lua_modules/" }

files["spec/"] = { std = "+busted" }
files["rockspec/*.rockspec"] = { std = "+rockspec" }
files[".busted"] = { std = "lua54" }
