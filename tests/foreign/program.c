/* What programs do with ZooKeeper's library for C. The first argument is the list of servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper.h>

static volatile int connected, created, deleted;

static void watch(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle, (void)path, (void)context;
    if (type == ZOO_SESSION_EVENT) connected = state == ZOO_CONNECTED_STATE;
    if (type == ZOO_CREATED_EVENT) created = 1;
    if (type == ZOO_DELETED_EVENT) deleted = 1;
}

static void expect(const char *what, int found, int expected) {
    if (found != expected) {
        printf("%s: %d (%s), expected %d\n", what, found, zerror(found), expected);
        exit(1);
    }
    printf("ok: %s\n", what);
    fflush(stdout);
}

static void wait_for(const char *what, volatile int *flag) {
    for (int turn = 0; turn < 3000 && !*flag; turn++) usleep(10000);
    expect(what, *flag, 1);
}

int main(int count, char **arguments) {
    char buffer[100];
    int length = sizeof buffer;
    struct Stat stat;
    struct String_vector children;
    if (count != 2) return 2;
    /* The library complains whenever a server is down. */
    zoo_set_debug_level(0);
    zhandle_t *handle = zookeeper_init(arguments[1], watch, 10000, NULL, NULL, 0);
    if (!handle) return 1;
    wait_for("connect", &connected);
    const int64_t session = zoo_client_id(handle)->client_id;

    expect("exists of nothing, with a watch", zoo_exists(handle, "/c", 1, &stat), ZNONODE);
    expect("create", zoo_create(handle, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
    wait_for("event of the creation", &created);
    expect("create again", zoo_create(handle, "/c", "two", 3, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZNODEEXISTS);
    expect("get", zoo_get(handle, "/c", 0, buffer, &length, &stat), ZOK);
    expect("data", length == 3 && !memcmp(buffer, "one", 3) && stat.version == 0, 1);
    expect("set", zoo_set2(handle, "/c", "two", 3, 0, &stat), ZOK);
    expect("version", stat.version, 1);
    expect("set of an old version", zoo_set(handle, "/c", "three", 5, 0), ZBADVERSION);
    expect("sequence", zoo_create(handle, "/c/n-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, buffer, sizeof buffer), ZOK);
    expect("name of the sequence", strcmp(buffer, "/c/n-0000000000"), 0);
    expect("ephemeral", zoo_create(handle, "/c/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0), ZOK);
    expect("container", zoo_create2(handle, "/c/k", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, buffer, sizeof buffer, &stat), ZOK);
    expect("time to live", zoo_create_ttl(handle, "/c/t", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 100000, NULL, 0), ZOK);
    expect("children", zoo_get_children2(handle, "/c", 0, &children, &stat), ZOK);
    expect("number of children", children.count == 4 && stat.numChildren == 4, 1);
    deallocate_String_vector(&children);
    expect("delete with children", zoo_delete(handle, "/c", -1), ZNOTEMPTY);

    zoo_op_t operations[3];
    zoo_op_result_t results[3];
    zoo_check_op_init(&operations[0], "/c", 1);
    zoo_create_op_init(&operations[1], "/c/m", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, buffer, sizeof buffer);
    zoo_delete_op_init(&operations[2], "/c/n-0000000000", -1);
    expect("multi", zoo_multi(handle, 3, operations, results), ZOK);
    zoo_check_op_init(&operations[0], "/c", 7);
    expect("multi with a wrong version", zoo_multi(handle, 3, operations, results), ZBADVERSION);

    expect("auth", zoo_add_auth(handle, "digest", "user:secret", 11, NULL, NULL), ZOK);
    expect("set ACL", zoo_set_acl(handle, "/c/m", -1, &ZOO_CREATOR_ALL_ACL), ZOK);
    zhandle_t *stranger = zookeeper_init(arguments[1], NULL, 10000, NULL, NULL, 0);
    for (int turn = 0; turn < 3000 && zoo_state(stranger) != ZOO_CONNECTED_STATE; turn++) usleep(10000);
    length = sizeof buffer;
    expect("a stranger", zoo_get(stranger, "/c/m", 0, buffer, &length, &stat), ZNOAUTH);
    expect("exists, with a watch", zoo_exists(handle, "/c/t", 1, &stat), ZOK);
    expect("delete by the stranger", zoo_delete(stranger, "/c/t", -1), ZOK);
    wait_for("event of the deletion", &deleted);
    zookeeper_close(stranger);

    printf("KILL\n");
    fflush(stdout);
    if (!fgets(buffer, sizeof buffer, stdin)) return 1;
    int result = ZCONNECTIONLOSS;
    for (int turn = 0; turn < 3000 && result != ZOK && result != ZNODEEXISTS; turn++) {
        result = zoo_create(handle, "/c/after", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
        usleep(10000);
    }
    expect("a write after the death of the leader", result == ZOK || result == ZNODEEXISTS, 1);
    expect("the same session", zoo_client_id(handle)->client_id == session, 1);
    expect("its ephemeral node", zoo_exists(handle, "/c/e", 0, &stat), ZOK);
    expect("close", zookeeper_close(handle), ZOK);
    printf("all done\n");
    return 0;
}
