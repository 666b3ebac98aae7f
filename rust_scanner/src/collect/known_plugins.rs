//! What is known of pytest's own and of common plugins: fixtures, marks, harmless hooks.

/// Whether `name` is a fixture of pytest or of a common plugin that has no parameters, in a version
/// that is supported.
pub fn is_plain_fixture(name: &str) -> bool {
    matches!(
        name,
        "cache" | "capfd" | "capfdbinary" | "caplog" | "capsys" | "capsysbinary" | "capteesys"
            | "doctest_namespace" | "monkeypatch" | "pytestconfig" | "pytester" | "record_property"
            | "record_testsuite_property" | "record_xml_attribute" | "recwarn" | "request" | "subtests"
            | "testdir" | "tmp_path" | "tmp_path_factory" | "tmpdir" | "tmpdir_factory"
            // pytest-mock
            | "mocker" | "class_mocker" | "module_mocker" | "package_mocker" | "session_mocker"
            // pytest-django
            | "admin_client" | "admin_user" | "client" | "db" | "django_assert_max_num_queries"
            | "django_assert_num_queries" | "django_db_blocker" | "django_db_setup" | "django_user_model"
            | "live_server" | "mailoutbox" | "rf" | "transactional_db"
            // pytest-asyncio, pytest-benchmark, pytest-cov, requests-mock
            | "event_loop_policy" | "unused_tcp_port" | "unused_tcp_port_factory" | "benchmark" | "cov"
            | "no_cover" | "requests_mock"
    )
}

/// Whether the plugin with this module neither changes what is collected nor parametrizes tests, but by
/// marks, decorators and fixtures that are known here; unless it is told to by options.
pub fn is_plain_plugin(module: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    matches!(
        top,
        "_hypothesis_pytestplugin"
            | "anyio"
            | "pytest_asyncio"
            | "pytest_benchmark"
            | "pytest_codspeed"
            | "pytest_cov"
            | "pytest_django"
            | "pytest_fastcollect"
            | "pytest_html"
            | "pytest_httpx"
            | "pytest_metadata"
            | "pytest_mock"
            | "pytest_randomly"
            | "pytest_rerunfailures"
            | "pytest_sugar"
            | "pytest_timeout"
            | "requests_mock"
            | "xdist"
    )
}

/// Whether plugins parametrize tests with the mark called `name`.
pub fn is_parametrizing_mark(name: &str) -> bool {
    matches!(name, "anyio" | "repeat" | "parametrize_with_cases")
}
