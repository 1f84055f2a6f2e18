-- Plays one scene of spec/linux/scenes/ in the world that world.sh has made:
--   lua5.4 spec/linux/scene.lua FILE.NAME ARGUMENTS...
-- A scene is a function; what it raises is the spec's failure.
local file, name = arg[1]:match "^([%w_]+)%.([%w_]+)$"
local scenes = require("linux.scenes." .. file)
scenes[name](table.unpack(arg, 2))
print "played"
