// LinearMaps
