-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: iotronic
-- ------------------------------------------------------
-- Invented rows in the schema of IoTronic 0.4.17, as mysqldump writes them; a server loads it as well.

/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;

DROP TABLE IF EXISTS `boards`;
CREATE TABLE `boards` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` varchar(36) DEFAULT NULL,
  `code` varchar(36) DEFAULT NULL COMMENT 'given once; (never) ''again''',
  `status` varchar(15) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `type` varchar(255) DEFAULT NULL,
  `agent` varchar(255) DEFAULT NULL,
  `owner` varchar(36) DEFAULT NULL,
  `project` varchar(36) DEFAULT NULL,
  `fleet` varchar(36) DEFAULT NULL,
  `lr_version` varchar(20) DEFAULT NULL,
  `connectivity` text DEFAULT NULL,
  `mobile` tinyint(1) DEFAULT NULL,
  `config` text DEFAULT NULL,
  `extra` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uniq_boards0uuid` (`uuid`),
  UNIQUE KEY `uniq_boards0code` (`code`),
  KEY `fleet` (`fleet`),
  CONSTRAINT `boards_ibfk_1` FOREIGN KEY (`fleet`) REFERENCES `fleets` (`uuid`)
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4;

LOCK TABLES `boards` WRITE;
/*!40000 ALTER TABLE `boards` DISABLE KEYS */;
INSERT INTO `boards` VALUES
('2021-03-01 10:00:00','2021-03-02 10:00:00',1,'b0a4d000-0000-4000-8000-000000000001','CODE-1','offline','lamp-1','gateway','wagent-1','0c1d0000000000000000000000000001','9e0f0000000000000000000000000001','f1ee7000-0000-4000-8000-000000000001','0.5.0','{\"iface\": \"eth0\", \"local_ip\": \"10.0.0.7\", \"mac\": \"02:00:00:00:00:01\"}',1,'{\"iotronic\": {\"extra\": {}}}','{\"note\": \"it\'s \\\"new\\\"; DROP TABLE boards; -- \"}'),
('2021-03-01 10:00:00',NULL,2,'b0a4d000-0000-4000-8000-000000000002','CODE-2','registered','lamp 2 (hall)','server',NULL,'0c1d0000000000000000000000000001','9e0f0000000000000000000000000001',NULL,NULL,NULL,0,'{}',''),
('2021-03-01 10:00:00',NULL,3,'b0a4d000-0000-4000-8000-000000000003','CODE-3','online','lamp-1','server','wagent-1','0c1d0000000000000000000000000001','9e0f0000000000000000000000000001','f1ee7000-0000-4000-8000-000000000009','0.4.9','not json',0,NULL,NULL),
('2021-03-01 10:00:00',NULL,4,'not-a-uuid','CODE-4','online','broken','server','wagent-1','0c1d0000000000000000000000000001','9e0f0000000000000000000000000001',NULL,NULL,NULL,0,NULL,NULL),
('2021-03-01 10:00:00',NULL,5,'b0a4d000-0000-4000-8000-000000000005','CODE-5','online','orphan','server','wagent-1','0c1d0000000000000000000000000001',NULL,NULL,NULL,NULL,0,NULL,NULL),
('2021-03-01 10:00:00',NULL,6,'b0a4d000-0000-4000-8000-000000000006','$(reboot)','offline','../../etc/passwd\0\n\Z%\_','server; rm -rf /','wagent-2','0c1d0000000000000000000000000002','9e0f0000000000000000000000000002',NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO `boards` VALUES ('2021-03-01 10:00:00',NULL,7,'b0a4d000-0000-4000-8000-000000000007','CODE-7','registered','b0a4d000-0000-4000-8000-000000000001','server',NULL,'0c1d0000000000000000000000000002','9e0f0000000000000000000000000002',NULL,NULL,NULL,0,NULL,NULL);
/*!40000 ALTER TABLE `boards` ENABLE KEYS */;
UNLOCK TABLES;

DROP TABLE IF EXISTS `enabled_webservices`;
CREATE TABLE `enabled_webservices` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `board_uuid` varchar(36) DEFAULT NULL,
  `http_port` int(11) DEFAULT NULL,
  `https_port` int(11) DEFAULT NULL,
  `dns` varchar(100) DEFAULT NULL,
  `zone` varchar(100) DEFAULT NULL,
  `extra` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `enabled_webservices` VALUES (1,'b0a4d000-0000-4000-8000-000000000001',50002,50003,'lamp-1','example.org','{}');

DROP TABLE IF EXISTS `exposed_services`;
CREATE TABLE `exposed_services` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `board_uuid` varchar(36) DEFAULT NULL,
  `service_uuid` varchar(36) DEFAULT NULL,
  `public_port` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `exposed_services` VALUES (NULL,NULL,1,'b0a4d000-0000-4000-8000-000000000001','5e4f1ce0-0000-4000-8000-000000000001',50001),(NULL,NULL,2,'b0a4d000-0000-4000-8000-000000000003','5e4f1ce0-0000-4000-8000-000000000001',50001),(NULL,NULL,3,'b0a4d000-0000-4000-8000-000000000001','5e4f1ce0-0000-4000-8000-000000000003',50002),(NULL,NULL,4,'b0a4d000-0000-4000-8000-000000000003','5e4f1ce0-0000-4000-8000-000000000001',99999);

DROP TABLE IF EXISTS `fleets`;
CREATE TABLE `fleets` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` varchar(36) DEFAULT NULL,
  `name` varchar(36) DEFAULT NULL,
  `project` varchar(36) DEFAULT NULL,
  `description` varchar(300) DEFAULT NULL,
  `extra` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uniq_fleets0uuid` (`uuid`)
) ENGINE=InnoDB;
INSERT INTO `fleets` VALUES (NULL,NULL,1,'f1ee7000-0000-4000-8000-000000000001','north','9e0f0000000000000000000000000001','everything north; \'quoted\', \\back\\slashed, ünïcode €\nsecond line','{\"k\": \"v\"}'),(NULL,NULL,2,'f1ee7000-0000-4000-8000-000000000002','north','9e0f0000000000000000000000000002',NULL,NULL);

DROP TABLE IF EXISTS `injection_plugins`;
CREATE TABLE `injection_plugins` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `board_uuid` varchar(36) DEFAULT NULL,
  `plugin_uuid` varchar(36) DEFAULT NULL,
  `onboot` tinyint(1) DEFAULT NULL,
  `status` varchar(15) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `injection_plugins` VALUES (NULL,NULL,1,'b0a4d000-0000-4000-8000-000000000001','91091000-0000-4000-8000-000000000001',1,'injected'),(NULL,NULL,2,'b0a4d000-0000-4000-8000-000000000003','91091000-0000-4000-8000-000000000002',0,'updated'),(NULL,NULL,3,'b0a4d000-0000-4000-8000-000000000001','91091000-0000-4000-8000-000000000003',0,'injected'),(NULL,NULL,4,'b0a4d000-0000-4000-8000-000000000006','91091000-0000-4000-8000-000000000001',0,'injected');

DROP TABLE IF EXISTS `locations`;
CREATE TABLE `locations` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `longitude` varchar(18) DEFAULT NULL,
  `latitude` varchar(18) DEFAULT NULL,
  `altitude` varchar(18) DEFAULT NULL,
  `board_id` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `locations` VALUES (NULL,NULL,1,'15.55','38.19','3',1),(NULL,NULL,2,'here','there','',2),(NULL,NULL,3,'15.56','38.20','',3),(NULL,NULL,4,'1','1','1',77);

DROP TABLE IF EXISTS `plugins`;
CREATE TABLE `plugins` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` varchar(36) DEFAULT NULL,
  `name` varchar(36) DEFAULT NULL,
  `owner` varchar(36) DEFAULT NULL,
  `public` tinyint(1) NOT NULL,
  `code` text DEFAULT NULL,
  `callable` tinyint(1) DEFAULT NULL,
  `parameters` text DEFAULT NULL,
  `extra` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uniq_plugins0uuid` (`uuid`)
) ENGINE=InnoDB;
INSERT INTO `plugins` VALUES (NULL,NULL,1,'91091000-0000-4000-8000-000000000001','hello','0c1d0000000000000000000000000001',0,'Vprint(\"it\'s \\u20ac \\\\u005c ü\")\\u000aprint(2)\\u000a\np0\n.',1,'{\"say\": \"hi\"}','{}'),(NULL,NULL,2,'91091000-0000-4000-8000-000000000002','patched','0c1d0000000000000000000000000001',1,'import os\nprint(os)\n',0,NULL,NULL),(NULL,NULL,3,'91091000-0000-4000-8000-000000000003','hostile','0c1d0000000000000000000000000001',1,'cposix\nsystem\n(S\'touch /tmp/owned\'\ntR.',1,NULL,NULL),(NULL,NULL,4,'91091000-0000-4000-8000-000000000004','homeless','0c1d0000000000000000000000000009',0,'Vpass\np0\n.',1,NULL,NULL);

DROP TABLE IF EXISTS `ports_on_boards`;
CREATE TABLE `ports_on_boards` (`id` int(11) NOT NULL, `board_uuid` varchar(36) DEFAULT NULL) ENGINE=InnoDB;
INSERT INTO `ports_on_boards` VALUES (1,'b0a4d000-0000-4000-8000-000000000001'),(2,'b0a4d000-0000-4000-8000-000000000001');

DROP TABLE IF EXISTS `results`;
CREATE TABLE `results` (`id` int(11) NOT NULL, `message` text DEFAULT NULL) ENGINE=InnoDB;
INSERT INTO `results` VALUES (1,'a \'result\'); INSERT INTO `boards` VALUES (9);'),(2,NULL);

DROP TABLE IF EXISTS `services`;
CREATE TABLE `services` (
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` varchar(36) DEFAULT NULL,
  `name` varchar(36) DEFAULT NULL,
  `project` varchar(36) DEFAULT NULL,
  `port` int(11) DEFAULT NULL,
  `protocol` varchar(3) DEFAULT NULL,
  `extra` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uniq_services0uuid` (`uuid`)
) ENGINE=InnoDB;
INSERT INTO `services` VALUES (NULL,NULL,1,'5e4f1ce0-0000-4000-8000-000000000001','ssh','9e0f0000000000000000000000000001',22,'TCP','{}'),(NULL,NULL,2,'5e4f1ce0-0000-4000-8000-000000000002','dns','9e0f0000000000000000000000000001',53,'UDP','{}'),(NULL,NULL,3,'5e4f1ce0-0000-4000-8000-000000000003','webservice',NULL,50000,'TCP','{}'),(NULL,NULL,4,'5e4f1ce0-0000-4000-8000-000000000004','ssh','9e0f0000000000000000000000000001',70000,'TCP','{}'),(NULL,NULL,5,'5e4f1ce0-0000-4000-8000-000000000005','ssh','9e0f0000000000000000000000000001',2222,'tcp','{}');

/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
-- Dump completed on 2026-01-01 10:00:00
