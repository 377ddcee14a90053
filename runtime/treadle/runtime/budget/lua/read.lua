-- Replies as reserve does, with the number of open reservations.
return answer('read', redis.call('HLEN', open))
