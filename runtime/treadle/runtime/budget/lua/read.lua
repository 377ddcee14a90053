-- Replies as exchange does, with the number of open reservations.
return answer('read', redis.call('HLEN', open))
