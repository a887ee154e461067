-- A table with an index on a virtual column takes no ordinary column without being rebuilt while its writes wait (MariaDB
-- 10.11: 1845 for INSTANT and NOCOPY). Where an earlier 0002 made that index, it makes way for the columns of the files
-- that follow; the last of them makes it again. A later migration that adds a column to ticket_orders does the same.

DROP INDEX IF EXISTS ticket_orders_by_email ON ticket_orders;
