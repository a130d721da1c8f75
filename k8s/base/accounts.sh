# Sourced once by the image's entry point when a data folder is new: the accounts that Skyshard uses, with passwords
# from the Secret. admin: everything; loader: tables and rows; reader: SELECT, and tables of its own in skyshard_scratch.
docker_process_sql --database=mysql <<SQL
CREATE DATABASE IF NOT EXISTS skyshard_scratch CHARACTER SET latin1;
CREATE USER IF NOT EXISTS skyshard_admin@'%' IDENTIFIED BY '${SKYSHARD_ADMIN_PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO skyshard_admin@'%' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS skyshard_loader@'%' IDENTIFIED BY '${SKYSHARD_LOADER_PASSWORD}';
GRANT FILE, RELOAD ON *.* TO skyshard_loader@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, CREATE VIEW, SHOW VIEW ON \`%\`.* TO skyshard_loader@'%';
GRANT SHOW VIEW ON \`mysql\`.* TO skyshard_loader@'%';
CREATE USER IF NOT EXISTS skyshard_reader@'%' IDENTIFIED BY '${SKYSHARD_READER_PASSWORD}';
GRANT SELECT ON \`%\`.* TO skyshard_reader@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES ON \`skyshard\\_scratch\`.* TO skyshard_reader@'%';
GRANT SHOW VIEW ON \`mysql\`.* TO skyshard_reader@'%';
SQL
