-- Name the namespaces of one group that hold items, at or under the path ARGV[1].
return paths_under(ARGV[1])
