-- What lies in this database that its role could not drop, or not make anew; not what belongs to extensions.
WITH own AS (
    SELECT 'pg_class'::regclass AS class, oid, relowner AS owner, relnamespace AS space, false AS special
        FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    UNION ALL SELECT 'pg_proc', p.oid, proowner, pronamespace, NOT l.lanpltrusted AND p.prokind <> 'a'
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_type', oid, typowner, typnamespace, typtype = 'b' FROM pg_type WHERE typtype IN ('b', 'd', 'e', 'r') AND typcategory <> 'A'
    UNION ALL SELECT 'pg_namespace', oid, nspowner, oid, false FROM pg_namespace
    UNION ALL SELECT 'pg_operator', oid, oprowner, oprnamespace, false FROM pg_operator
    UNION ALL SELECT 'pg_opclass', oid, opcowner, opcnamespace, true FROM pg_opclass
    UNION ALL SELECT 'pg_opfamily', oid, opfowner, opfnamespace, true FROM pg_opfamily
    UNION ALL SELECT 'pg_collation', oid, collowner, collnamespace, false FROM pg_collation
    UNION ALL SELECT 'pg_conversion', oid, conowner, connamespace, false FROM pg_conversion
    UNION ALL SELECT 'pg_ts_dict', oid, dictowner, dictnamespace, false FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_config', oid, cfgowner, cfgnamespace, false FROM pg_ts_config
    UNION ALL SELECT 'pg_ts_parser', oid, 10, prsnamespace, true FROM pg_ts_parser
    UNION ALL SELECT 'pg_ts_template', oid, 10, tmplnamespace, true FROM pg_ts_template
    UNION ALL SELECT 'pg_statistic_ext', oid, stxowner, stxnamespace, false FROM pg_statistic_ext
    UNION ALL SELECT 'pg_language', oid, lanowner, 0, true FROM pg_language
    UNION ALL SELECT 'pg_am', oid, 10, 0, true FROM pg_am
    UNION ALL SELECT 'pg_transform', oid, 10, 0, true FROM pg_transform
    UNION ALL SELECT 'pg_largeobject_metadata', oid, lomowner, 0, false FROM pg_largeobject_metadata
    UNION ALL SELECT 'pg_foreign_data_wrapper', oid, fdwowner, 0, true FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server', oid, srvowner, 0, false FROM pg_foreign_server
    UNION ALL SELECT 'pg_event_trigger', oid, evtowner, 0, true FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication', oid, pubowner, 0, puballtables FROM pg_publication
), found AS (
    SELECT format('%s %s (of %s)', i.type, i.identity, pg_get_userbyid(own.owner)) AS name
        FROM own LEFT JOIN pg_namespace n ON n.oid = own.space, LATERAL pg_identify_object(CASE own.class WHEN 'pg_largeobject_metadata'::regclass THEN 'pg_largeobject'::regclass
            ELSE own.class END, own.oid, 0) AS i
        WHERE (own.oid >= 16384 OR own.class = 'pg_largeobject_metadata'::regclass) AND coalesce(n.nspname !~ '^pg_' AND n.nspname <> 'information_schema', true)
        AND (own.special OR NOT (pg_has_role(own.owner, 'USAGE') AND pg_has_role(own.owner, 'MEMBER')))
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = own.class AND d.objid = own.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('extension %s, which only a superuser makes', e.extname) FROM pg_extension e WHERE pg_has_role(e.extowner, 'USAGE')
        AND NOT EXISTS (SELECT FROM pg_available_extension_versions v WHERE v.name = e.extname AND v.trusted)
    UNION ALL
    SELECT format('default privileges of %s', pg_get_userbyid(defaclrole)) FROM pg_default_acl WHERE NOT pg_has_role(defaclrole, 'USAGE')
)
SELECT coalesce(jsonb_agg(name ORDER BY name), '[]')::text FROM found WHERE $1 <> ''
