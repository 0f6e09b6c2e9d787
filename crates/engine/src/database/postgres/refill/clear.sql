-- Drops everything in this database that its role owns. Read by psql; repeatable.
-- Names below are qualified: no search path of the migrated database counts.
SELECT pg_catalog.set_config('search_path', 'pg_catalog', false);

SELECT format('DROP PUBLICATION IF EXISTS %I', pubname) FROM pg_publication WHERE pg_has_role(pubowner, 'USAGE')
\gexec

-- A hundred large objects at a time: each takes a lock.
SELECT format('SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata WHERE oid BETWEEN %s AND %s AND pg_has_role(lomowner, ''USAGE'')', min(oid::bigint), max(oid::bigint))
    FROM (SELECT oid, (row_number() OVER (ORDER BY oid) - 1) / 100 AS part FROM pg_largeobject_metadata
        WHERE pg_has_role(lomowner, 'USAGE')) AS parts GROUP BY part ORDER BY part
\gexec

-- Tables first, since what belongs to them cannot be dropped before them; sequences last.
SELECT format('DROP %s IF EXISTS %I.%I CASCADE', k.name, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN (VALUES (1, 'r', 'TABLE'), (1, 'p', 'TABLE'), (2, 'f', 'FOREIGN TABLE'), (3, 'v', 'VIEW'), (4, 'm', 'MATERIALIZED VIEW'),
        (5, 'S', 'SEQUENCE')) AS k(place, kind, name) ON k.kind = c.relkind::text
    WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(c.relowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY k.place, c.relispartition, c.oid
\gexec

SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', i.identity)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, LATERAL pg_identify_object('pg_proc'::regclass, p.oid, 0) AS i
    WHERE p.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(p.proowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
\gexec

SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', n.nspname, t.typname)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(t.typowner, 'USAGE')
    AND (t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND ((d.classid = 'pg_type'::regclass AND d.objid = t.oid)
        OR (d.classid = 'pg_class'::regclass AND d.objid = c.oid)))
\gexec

SELECT format('DROP %s IF EXISTS %s CASCADE', upper(CASE i.type WHEN 'statistics object' THEN 'statistics' ELSE i.type END), i.identity)
    FROM (SELECT 'pg_operator'::regclass AS class, oid, oprnamespace AS space, oprowner AS owner FROM pg_operator
        UNION ALL SELECT 'pg_collation', oid, collnamespace, collowner FROM pg_collation
        UNION ALL SELECT 'pg_conversion', oid, connamespace, conowner FROM pg_conversion
        UNION ALL SELECT 'pg_ts_config', oid, cfgnamespace, cfgowner FROM pg_ts_config
        UNION ALL SELECT 'pg_ts_dict', oid, dictnamespace, dictowner FROM pg_ts_dict
        UNION ALL SELECT 'pg_statistic_ext', oid, stxnamespace, stxowner FROM pg_statistic_ext) AS o
    JOIN pg_namespace n ON n.oid = o.space, LATERAL pg_identify_object(o.class, o.oid, 0) AS i
    WHERE o.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(o.owner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
\gexec

SELECT format('DROP SERVER IF EXISTS %I CASCADE', srvname) FROM pg_foreign_server s WHERE pg_has_role(srvowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_foreign_server'::regclass AND d.objid = s.oid AND d.deptype = 'e')
\gexec

-- Not where one of somebody else needs it: that would go, too, and could not be made anew.
SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_extension e WHERE pg_has_role(extowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension o ON o.oid = d.objid AND d.classid = 'pg_extension'::regclass
        WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND NOT pg_has_role(o.extowner, 'USAGE'))
\gexec

-- Nor a schema with one of those in it.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace n
    WHERE oid >= 16384 AND nspname !~ '^pg_' AND nspname <> 'public' AND pg_has_role(nspowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
\gexec

-- The schema that every new database has, as it is there.
CREATE SCHEMA IF NOT EXISTS public;
SELECT 'ALTER SCHEMA public OWNER TO pg_database_owner' FROM pg_namespace WHERE nspname = 'public' AND pg_has_role(nspowner, 'USAGE')
    AND nspowner <> (SELECT oid FROM pg_roles WHERE rolname = 'pg_database_owner')
\gexec

-- Privileges and comments of the schemas that stay.
SELECT format('REVOKE ALL ON SCHEMA %I FROM %s CASCADE', n.nspname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM pg_namespace n, LATERAL (SELECT DISTINCT grantee FROM aclexplode(n.nspacl)) AS a
    WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ '^pg_' AND pg_has_role(n.nspowner, 'USAGE')
\gexec
SELECT unnest(ARRAY[format('GRANT ALL ON SCHEMA %I TO %I', n.nspname, pg_get_userbyid(n.nspowner)), format('COMMENT ON SCHEMA %I IS NULL', n.nspname)])
    FROM pg_namespace n WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ '^pg_' AND pg_has_role(n.nspowner, 'USAGE')
\gexec
SELECT unnest(ARRAY[CASE WHEN current_setting('server_version_num')::int < 150000 THEN 'GRANT ALL ON SCHEMA public TO PUBLIC'
    ELSE 'GRANT USAGE ON SCHEMA public TO PUBLIC' END, 'COMMENT ON SCHEMA public IS ''standard public schema'''])
    FROM pg_namespace n WHERE n.nspname = 'public' AND pg_has_role(n.nspowner, 'USAGE')
\gexec

-- Default privileges, back to what the server has built in.
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE ALL ON %s FROM %s', pg_get_userbyid(d.defaclrole),
        CASE WHEN d.defaclnamespace <> 0 THEN format('IN SCHEMA %I', n.nspname) ELSE '' END, k.name,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS'), ('L', 'LARGE OBJECTS'))
        AS k(kind, name) ON k.kind = d.defaclobjtype::text,
    LATERAL (SELECT DISTINCT grantee FROM aclexplode(d.defaclacl)) AS a WHERE pg_has_role(d.defaclrole, 'USAGE')
\gexec
SELECT unnest(ARRAY[format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT ALL ON %s TO %1$I', pg_get_userbyid(d.defaclrole), k.name)]
        || CASE d.defaclobjtype::text WHEN 'f' THEN ARRAY[format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT EXECUTE ON FUNCTIONS TO PUBLIC', pg_get_userbyid(d.defaclrole))]
            WHEN 'T' THEN ARRAY[format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT USAGE ON TYPES TO PUBLIC', pg_get_userbyid(d.defaclrole))]
            ELSE ARRAY[]::text[] END)
    FROM pg_default_acl d
    JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS'), ('L', 'LARGE OBJECTS'))
        AS k(kind, name) ON k.kind = d.defaclobjtype::text
    WHERE d.defaclnamespace = 0 AND pg_has_role(d.defaclrole, 'USAGE')
\gexec
